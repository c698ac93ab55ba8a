"""Whatever a stream holds, it is folded or parked, and the rest goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from consumers.errors import OutdatedFold
from consumers.folding.fold import JobFold, fold_job
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.reading import run_state
from synapse_stream.entries.batch import GENESIS, Batch
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.entries.position import Position
from tests.support.events import message, progress, started
from tests.support.folding import VIEWS, Scene, scene

if TYPE_CHECKING:
    from consumers.folding.port import Parked
    from synapse_stream.ports.job_view import Delivery, JobView

GOOD = b'{"seq":0,"time":1,"type":"message","v":1,"content":"good","level":"info"}'


def contents(told: Scene) -> list[str]:
    return [row.content for row in told.rows]


@pytest.mark.parametrize("view", VIEWS)
def test_an_entry_that_is_no_batch_is_parked_with_its_fields(view: type[JobView]) -> None:
    fold = JobFold(view, "job-1", None)

    (parked,) = fold.apply(RecordedBatch(7, 1, None, "no field z", {b"p": b"p0", b"q": b"\xff"}))

    assert parked == (
        "job-1",
        Position(7, 1, 0),
        "no field z",
        b"{b'p': b'p0', b'q': b'\\xff'}",
        None,
        None,
    )
    assert not fold.has_changed


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON: "),
        (b"", "not JSON: "),
        (b'{"a":"\xff"}', "not JSON: "),
        (b"[1]", "not a JSON object but list"),
        (b"null", "not a JSON object but NoneType"),
    ],
)
def test_a_line_that_cannot_be_read_is_parked_and_the_others_are_folded(
    line: bytes, reason: str
) -> None:
    told = Scene().sends(b"\n".join([GOOD, line, GOOD]) + b"\n", count=3)

    assert contents(told) == ["good", "good"]
    assert [row.line for row in told.rows] == [0, 2]
    told.fold(MessageFeedView)
    (parked,) = told.parked
    assert (parked.position, parked.raw, parked.producer, parked.number) == (
        Position(1000, 0, 1),
        line,
        "p0",
        1,
    )
    assert parked.reason.startswith(reason)


def test_lines_that_only_together_are_json_are_parked_each() -> None:
    told = Scene().sends(b"[1\n2]\n" + GOOD + b"\n", count=3)

    assert contents(told) == ["good"]
    assert [parked.raw for parked in told.parked] == [b"[1", b"2]"]


def test_a_loss_in_a_batch_of_several_lines_stands_for_no_range() -> None:
    loss = b'{"type":"loss","v":1,"time":1,"counts":{},"first":null,"last":null}'
    told = Scene().sends(loss + b"\n\n", count=2)

    assert told.attempt.counts == {"loss": 1}
    assert told.attempt.completeness.missing == {}
    assert [parked.number for parked in told.parked] == [1]


def test_a_batch_without_its_last_newline_loses_no_line() -> None:
    assert contents(Scene().sends(GOOD + b"\n" + GOOD, count=2)) == ["good", "good"]


def test_a_batch_without_any_line_is_missing() -> None:
    told = scene(started()).sends(b"", count=2)

    assert told.attempt.completeness.missing == {"p0": [(1, 2)]}


def test_what_was_parked_is_not_parked_again_when_it_comes_again() -> None:
    told = scene(message("a", "loud"), message("b")).repeats(0)

    told.fold(MessageFeedView)

    assert len(told.parked) == 1


@pytest.mark.parametrize("bad", [b'{"type":7}', b"{"])
def test_of_a_batch_that_overlaps_only_new_events_are_parked(bad: bytes) -> None:
    told = Scene().sends(bad + b"\n", count=1)
    told.appends(Batch("job-1", "p0", 0, 1, GENESIS, bad + b"\n" + bad + b"\n"))

    told.fold(RunStateView)

    assert [(parked.position.ms, parked.number) for parked in told.parked] == [(1000, 0), (1001, 1)]


def test_a_thousand_bad_events_in_a_batch_are_each_parked() -> None:
    told = scene(*(message("x", "loud") for _ in range(1000)), message("good"))

    assert contents(told) == ["good"]
    assert len(told.parked) == 1000


class BrokenView(MessageFeedView):
    def apply(self, delivery: Delivery) -> None:
        if any(event.get("content") == "boom" for event in delivery.events):
            raise KeyError("boom")
        super().apply(delivery)


def test_a_fault_of_a_projection_parks_what_it_was_given_and_stops_nothing_else() -> None:
    told = scene(message("a"), message("boom")).says(message("b"))

    assert [row.content for row in told.fold(BrokenView).rows()] == ["b"]
    assert {parked.reason for parked in told.parked} == {"the projection failed: KeyError: 'boom'"}
    assert [parked.number for parked in told.parked] == [0, 1]


def mended(told: Scene, broken: type[JobView], view: type[JobView]) -> tuple[JobFold, Parked]:
    """Fold with a projection that fails; return the fold for one that does not, and what waits."""
    document = told.fold(broken).document()
    (waiting,) = told.parked
    return JobFold(view, "job-1", document), waiting


def test_an_event_that_was_parked_can_be_folded_later_at_its_old_position() -> None:
    fold, waiting = mended(scene(message("boom")).says(message("b")), BrokenView, MessageFeedView)

    assert fold.retry(waiting) is None

    assert fold.has_changed
    assert [(row.number, row.ms, row.content) for row in fold.rows()] == [(1, 1000, "boom")]


def test_an_event_that_is_still_at_fault_stays_parked_with_its_reason() -> None:
    told = scene(message("x", "loud"))
    fold = told.fold(MessageFeedView)
    fold.rows()

    reason = fold.retry(told.parked[0])

    assert reason is not None
    assert reason.startswith("level='loud' is not allowed")
    assert not fold.has_changed


def test_what_the_ledger_never_saw_cannot_be_folded_by_itself() -> None:
    told = Scene().sends(b"{\n", count=1)
    told.entries.append(RecordedBatch(7, 0, None, "no field z", {}))
    fold = told.fold(RunStateView)

    for parked in told.parked:
        assert fold.retry(parked) is not None


class BrokenState(RunStateView):
    def apply(self, delivery: Delivery) -> None:
        if any(event.get("current") == 10 for event in delivery.events):
            raise KeyError(10)
        super().apply(delivery)


def test_progress_that_is_folded_late_does_not_throw_back_what_came_since() -> None:
    told = scene(progress(10, at=1)).says(progress(20, at=2))
    fold, waiting = mended(told, BrokenState, RunStateView)

    assert fold.retry(waiting) is None

    state = run_state("job-1", fold.document())
    assert state is not None
    assert orjson.loads(fold.document())["retried"] == [[waiting.producer, waiting.number, 2]]
    assert state.latest.counts == {"progress": 2}
    assert (state.latest.steps[0].current, state.latest.overall_percent) == (20, 20)
    assert state.position == Position(1001, 0, 0)


@pytest.mark.parametrize("other", [0, 99], ids=["older", "newer"])
def test_the_document_of_another_version_is_refused(other: int) -> None:
    version = MessageFeedView.version
    document = scene(message("a")).fold(MessageFeedView).document()
    document = document.replace(b'"v":%d' % version, b'"v":%d' % other)

    said = f"message-feed fold of job 'job-1' is of version {other}, not {version}"
    with pytest.raises(OutdatedFold, match=said):
        JobFold(MessageFeedView, "job-1", document)


@pytest.mark.parametrize("view", VIEWS)
def test_the_document_tells_how_far_the_fold_has_come(view: type[JobView]) -> None:
    """Also when the last event of the last entry was parked; known events do not count."""
    told = scene(message("a"), {"type": "metrics", "values": 1, "v": 1, "level": 1})
    assert told.fold(view).position == Position(1000, 0, 1)

    fold = told.fold(view)
    (entry,) = told.entries
    fold.apply(entry._replace(ms=5000))

    assert fold.position == Position(1000, 0, 1)


def test_a_whole_run_can_be_folded_at_once() -> None:
    told = scene(message("a")).says(message("b"))

    assert fold_job(MessageFeedView, "job-1", told.entries).rows() == told.rows


@pytest.mark.parametrize("producer", ["", "p" * 200])
def test_any_name_of_a_producer_up_to_200_characters_will_do(producer: str) -> None:
    assert contents(Scene().says(message("hi"), by=producer)) == ["hi"]


def test_a_producer_with_an_endless_name_is_parked() -> None:
    told = Scene().says(message("hi"), by="p" * 201)

    assert contents(told) == []
    assert len(told.parked) == 1


def test_a_newline_within_a_string_is_not_taken_for_a_comma() -> None:
    torn = GOOD.replace(b"good", b"go\nod")

    told = Scene().sends(torn + b"\n" + GOOD + b"\n", count=3)

    assert contents(told) == ["good"]
    assert [parked.position.index for parked in told.parked] == [0, 1]
