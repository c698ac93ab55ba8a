"""A run whose tail was lost and sent again is exported, imported and verified like any other."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.audit.record import Record, lines_of
from consumers.views.archive.fold import ArchiveFold
from synapse_stream.entries.batch import RawEntry
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.errors import DecodeError
from synapse_stream.exports.exact import DamagedExport, ExactFile, write_exact
from tests.support.chains import Chain
from tests.support.entries import entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.exports.chains import Joins

JOB = "job-1"


class Archived(NamedTuple):
    entries: list[RawEntry]
    joins: Joins


class Story:
    """A stream that loses its tail now and then, and an archive that reads it."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._chain = Chain(JOB)
        self._unread: list[RawEntry] = []
        self._fold = ArchiveFold(JOB, None)
        self._place = 0
        self.archived: list[RawEntry] = []

    def report(self) -> None:
        self._append(self._chain.add(*({"x": self._dice.random()},) * self._dice.randint(1, 4)))

    def shed(self) -> None:
        first = self._chain.last + 1
        last = first + self._dice.randint(1, 3)
        line = orjson.dumps({"type": "loss", "seq": last, "first": first, "last": last}) + b"\n"
        self._append(self._chain.add_data(line, last - first + 1))

    def archive(self) -> None:
        """Read some of what the archive has not seen."""
        count = self._dice.randint(1, len(self._unread) or 1)
        for found in self._unread[:count]:
            self._fold.apply(found)
        del self._unread[:count]
        self.archived += self._fold.rows().entries

    def lose(self) -> None:
        """Lose the newest batches, and get their lines again in other cuts, new ones behind."""
        keep = self._dice.randint(0, len(self._chain.batches))
        lost, self._chain.batches = self._chain.batches[keep:], self._chain.batches[:keep]
        gone = {(batch.first, batch.hash) for batch in lost}
        self._unread = [one for one in self._unread if _key(one) not in gone]
        plain: list[bytes] = []
        for batch in lost:
            lines = batch.lines()
            if len(lines) == batch.last - batch.first + 1:
                plain += lines
                continue
            self._send(plain)
            plain = []
            self._append(self._chain.add_data(batch.data, batch.last - batch.first + 1))
        self._send(plain + [b'{"type":"new"}'] * self._dice.randint(0, 2))

    def end(self) -> Archived:
        while self._unread:
            self.archive()
        producers = orjson.loads(self._fold.document())["producers"]
        joins = {name: mark["joins"] for name, mark in producers.items() if "joins" in mark}
        return Archived(self.archived, joins)

    def _send(self, lines: list[bytes]) -> None:
        while lines:
            count = self._dice.randint(1, min(5, len(lines)))
            self._append(
                self._chain.add_data(b"".join(line + b"\n" for line in lines[:count]), count)
            )
            lines = lines[count:]

    def _append(self, batch: Batch) -> None:
        self._place += 1
        self._unread.append(entry(self._place, batch))


def _key(one: RawEntry) -> tuple[int, bytes]:
    batch = recorded_batch(JOB, one).batch
    assert batch
    return batch.first, batch.hash


def recorded(entries: Iterable[RawEntry]) -> list[RecordedBatch]:
    return [recorded_batch(JOB, found) for found in entries]


def exported(run: Archived) -> bytes:
    file = io.BytesIO()
    write_exact(JOB, recorded(run.entries), file, run.joins)
    return file.getvalue()


def findings(run: Archived) -> list[object]:
    """Return what verifying finds of an archived run."""
    record = Record(JOB)
    for found in recorded(run.entries):
        record.take_archived(found)
    record.close(lines_of(recorded(run.entries), record.needs_lines(run.joins)), run.joins)
    return list(record.findings)


def told(seed: int, deeds: list[str]) -> Archived:
    story = Story(random.Random(seed))
    for deed in deeds:
        getattr(story, deed)()
    return story.end()


# A second loss took part of what had come again: the new batch followed an end in its middle.
@example(
    5253,
    ["report", "shed", "archive", "report", "archive", "lose", "report", "archive", "shed", "lose"],
)
@settings(max_examples=300)
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(["report", "report", "shed", "archive", "lose"]), max_size=25),
)
def test_tails_that_came_again_are_exported_imported_and_verified(
    seed: int, deeds: list[str]
) -> None:
    run = told(seed, deeds)
    assert findings(run) == []

    file = ExactFile(io.BytesIO(exported(run)))
    fold = ArchiveFold(JOB, None)
    for found in file.entries():
        fold.apply(RawEntry(found.ms, found.seq, found.raw or {}))
    fold.take_over(file.joins)
    producers = orjson.loads(fold.document())["producers"]
    joins = {name: mark["joins"] for name, mark in producers.items() if "joins" in mark}
    imported = Archived(fold.rows().entries, joins)

    assert findings(imported) == []
    assert exported(imported) == exported(run)


def with_a_join() -> Archived:
    """Return a run of which a batch follows what came again and was not archived."""
    for seed in range(1000):
        run = told(seed, ["report"] * 4 + ["archive"] * 4 + ["lose", "report", "archive", "report"])
        if run.joins and findings(Archived(run.entries, {})):
            return run
    raise AssertionError


def test_without_its_joins_such_a_run_is_refused() -> None:
    run = with_a_join()
    file = ExactFile(io.BytesIO(exported(Archived(run.entries, {}))))

    with pytest.raises(DamagedExport, match="do not follow"):
        list(file.entries())


def test_a_line_that_was_changed_where_it_came_again_is_found() -> None:
    run = with_a_join()
    joined = {join[-1][0] + 1 for join in run.joins["producer-1"]}
    changed = Chain(JOB)  # sealed anew from the first batch on, as whoever knows the rules can do
    for batch in (one.batch for one in recorded(run.entries)):
        assert batch
        if batch.first in joined:
            break
        changed.add_data(batch.data.replace(b'"x":0.', b'"x":1.'), batch.last - batch.first + 1)
    rest = run.entries[len(changed.batches) :]
    entries = [
        entry((old.ms, old.seq), batch)
        for old, batch in zip(run.entries, changed.batches, strict=False)
    ]
    file = ExactFile(io.BytesIO(exported(Archived([*entries, *rest], run.joins))))

    with pytest.raises(DamagedExport, match="do not follow"):
        list(file.entries())


@pytest.mark.parametrize(
    "joins",
    [
        [1],
        {"p": 1},
        {"p": [[]]},
        {"p": [[0]]},
        {"p": [[3, [2, "00" * 16]]]},
        {"p": [[0, ["1", "00" * 16]]]},
        {"p": [[0, [1, "00"]]]},
    ],
)
def test_joins_that_are_none_are_refused(joins: Any) -> None:
    file = io.BytesIO()
    write_exact(JOB, [], file, joins)

    with pytest.raises(DecodeError, match="no joins"):
        ExactFile(io.BytesIO(file.getvalue()))
