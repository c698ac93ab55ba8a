"""Laws: what a fold gives depends on the events alone.

Any cut into batches, any redelivery, any restart point, any order between producers where it cannot
matter, give the same document and the same rows; and whatever a stream holds is folded or parked.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.folding.fold import UNFORESEEN, JobFold
from consumers.views.message_feed.reading import message
from consumers.views.message_feed.rows import MessageRows
from consumers.views.metric_history import known
from consumers.views.metric_history.rows import PointRows, joined
from consumers.views.run_state import bounds, events, progress
from consumers.views.run_state.reading import run_state
from synapse_stream.entries.batch import GENESIS, Batch
from synapse_stream.entries.entry import RecordedBatch
from tests.support import dumps
from tests.support.folding import VIEWS
from tests.support.strategies import event_lists, fuzzed_lines

if TYPE_CHECKING:
    from consumers.folding.port import Parked
    from consumers.views.message_feed.rows import MessageRow
    from consumers.views.metric_history.rows import Points
    from synapse_stream.ports.job_view import JobView
    from synapse_stream.ports.views import SeriesKey

Lines = list[bytes]
each_view = pytest.mark.parametrize("view", VIEWS)


class Reader:
    """A consumer that commits, crashes and goes on: rows are collected as a store would."""

    def __init__(self, view: type[JobView]) -> None:
        self.view = view
        self.parked: dict[tuple[str | None, int | None], str] = {}
        self.fold = JobFold(view, "job-1", None)
        self._parts: dict[SeriesKey, list[Points]] = {}
        self._rows: list[MessageRow] = []

    def read(self, entry: RecordedBatch) -> Reader:
        for parked in self.fold.apply(entry):
            self._park(parked)
        return self

    def commit_and_restart(self) -> None:
        document = self.fold.document()
        self._collect()
        self.fold = JobFold(self.view, "job-1", document)

    def _park(self, parked: Parked) -> None:
        assert (parked.producer, parked.number) not in self.parked or parked.number is None
        assert not parked.reason.startswith(UNFORESEEN)
        self.parked[parked.producer, parked.number] = parked.reason

    def _collect(self) -> None:
        rows = self.fold.rows()
        for key, points in rows.items() if isinstance(rows, dict) else ():
            self._parts.setdefault(key, []).append(points)
        self._rows += rows if isinstance(rows, list) else []

    def content(self, *, positions: bool) -> tuple[bytes, bytes, dict[Any, str]]:
        """Return document, rows and parked events in one form."""
        self._collect()
        document = dumps.of_document(
            self.fold.document(), self.view.by_position, positions=positions
        )
        series = PointRows((key, joined(parts)) for key, parts in self._parts.items())
        rows = series.canonical(positions=positions)
        rows += MessageRows(self._rows).canonical(positions=positions)
        return document, rows, self.parked


def entries(
    producers: list[Lines], cuts: random.Random, *, repeat: float = 0
) -> list[RecordedBatch]:
    """Cut the lines of producers into batches in some order; of those sent, send some again."""
    sent = [0] * len(producers)
    stream: list[RecordedBatch] = []

    def append(producer: int, first: int, last: int) -> None:
        data = b"".join(line + b"\n" for line in producers[producer][first : last + 1])
        batch = Batch("job-1", f"p{producer}", first, last, GENESIS, data)
        stream.append(RecordedBatch(1000 + len(stream), cuts.randrange(3), batch))

    while any(n < len(lines) for n, lines in zip(sent, producers, strict=True)):
        producer = cuts.randrange(len(producers))
        lines, known = producers[producer], sent[producer]
        if known and cuts.random() < repeat:
            first = cuts.randrange(known)
            append(producer, first, cuts.randrange(first, len(lines)))
            sent[producer] = max(known, (stream[-1].batch or _none()).last + 1)
        elif known < len(lines):
            last = cuts.randrange(known, min(known + 20, len(lines)))
            append(producer, known, last)
            sent[producer] = last + 1
    return stream


def _none() -> Batch:
    raise AssertionError


def fold(view: type[JobView], stream: list[RecordedBatch]) -> Reader:
    reader = Reader(view)
    for entry in stream:
        reader.read(entry)
    return reader


seeds = st.integers(0, 2**32).map(random.Random)


@each_view
@given(lines=event_lists(), one=seeds, other=seeds)
def test_any_cut_into_batches_gives_the_same(
    view: type[JobView], lines: Lines, one: random.Random, other: random.Random
) -> None:
    first = fold(view, entries([lines], one)).content(positions=False)

    assert fold(view, entries([lines], other)).content(positions=False) == first


@each_view
@given(producers=st.lists(event_lists(), min_size=1, max_size=3), cuts=seeds)
def test_any_redelivery_and_any_restart_gives_the_same(
    view: type[JobView], producers: list[Lines], cuts: random.Random
) -> None:
    stream = entries(producers, cuts)
    plain = fold(view, stream).content(positions=True)

    reader = Reader(view)
    for place, entry in enumerate(stream):
        reader.read(entry)
        if cuts.random() < 0.5:
            reader.commit_and_restart()
        while cuts.random() < 0.3:
            old = stream[cuts.randrange(place + 1)]
            reader.read(old._replace(ms=10**6 + place))

    assert reader.content(positions=True) == plain


@each_view
@given(producers=st.lists(event_lists(), min_size=1, max_size=4), cuts=seeds, again=seeds)
def test_it_is_so_where_there_is_more_than_a_view_keeps(
    view: type[JobView], producers: list[Lines], cuts: random.Random, again: random.Random
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "MOST_ATTEMPTS", 2)
        patch.setattr(bounds, "MOST_WEIGHT", 12)
        patch.setattr(bounds, "MOST_LOST", 1)
        patch.setattr(events, "MOST_ACTIONS", 1)
        patch.setattr(progress, "MOST_STEPS", 2)
        patch.setattr(known, "MOST_METRICS", 2)
        stream = entries(producers, cuts)
        plain = fold(view, stream).content(positions=False)

        reader = Reader(view)
        for entry in stream:
            for part in pieces(entry, again):
                reader.read(part)
                if again.random() < 0.3:
                    reader.commit_and_restart()

    assert reader.content(positions=False) == plain


def pieces(entry: RecordedBatch, cuts: random.Random) -> list[RecordedBatch]:
    """Return an entry as if it had come in several."""
    batch = entry.batch or _none()
    lines = batch.data.splitlines(keepends=True)
    found, start = [], 0
    while start < len(lines):
        stop = cuts.randint(start + 1, len(lines))
        numbers = (batch.first + start, batch.first + stop - 1)
        data = b"".join(lines[start:stop])
        found.append(entry._replace(batch=Batch("job-1", batch.producer, *numbers, GENESIS, data)))
        start = stop
    return found


@each_view
@given(producers=st.lists(event_lists(), min_size=1, max_size=3), cuts=seeds)
def test_batches_that_come_again_cut_differently_count_event_by_event(
    view: type[JobView], producers: list[Lines], cuts: random.Random
) -> None:
    """Producers in turn: what one says first decides about the attempt of those that follow."""
    whole = Reader(view)
    again = Reader(view)
    for number in range(len(producers)):
        mine = [lines if i == number else [] for i, lines in enumerate(producers)]
        for entry in entries(mine, cuts):
            whole.read(entry)
        for entry in entries(mine, cuts, repeat=0.5):
            again.read(entry)

    assert again.content(positions=False) == whole.content(positions=False)


@each_view
@given(ranks=st.lists(event_lists(starts=False), min_size=2, max_size=4), one=seeds, other=seeds)
def test_the_order_between_ranks_of_an_attempt_does_not_matter(
    view: type[JobView], ranks: list[Lines], one: random.Random, other: random.Random
) -> None:
    producers = [
        [
            orjson.dumps(
                {"type": "run_started", "v": 1, "time": rank, "rank": rank, "attempt": None}
            ),
            *lines,
        ]
        for rank, lines in enumerate(ranks)
    ]
    first = fold(view, entries(producers, one)).content(positions=False)

    assert fold(view, entries(producers, other)).content(positions=False) == first


@each_view
@settings(max_examples=300)
@given(lines=fuzzed_lines(), one=seeds, other=seeds)
def test_whatever_a_stream_holds_is_folded_or_parked(
    view: type[JobView], lines: Lines, one: random.Random, other: random.Random
) -> None:
    reader = fold(view, entries([lines], one))
    reader.commit_and_restart()
    first = reader.content(positions=False)

    assert fold(view, entries([lines], other)).content(positions=False) == first


@settings(max_examples=300)
@given(lines=fuzzed_lines(), cuts=seeds)
def test_whatever_a_stream_holds_can_be_read(lines: Lines, cuts: random.Random) -> None:
    run, _, feed = (fold(view, entries([lines], cuts)) for view in VIEWS)

    state = run_state("job-1", run.fold.document())
    counted = sum(attempt.events for attempt in state.attempts) if state else 0
    for row in feed.fold.rows():
        message(row, "ko")

    assert counted + len(run.parked) == len(lines)


@given(lines=event_lists(), cuts=seeds)
def test_a_documented_run_is_never_parked(lines: Lines, cuts: random.Random) -> None:
    for view in VIEWS:
        assert fold(view, entries([lines], cuts)).parked == {}
