"""Marks: what a job's run state had come to at the end of an entry, for who looks back from there.

The run-state projector leaves one about every EVENTS events, made by the very fold that makes the
view and committed with it. A mark is believed only while the entry it stands at is still there,
with the batch that was folded: a server that lost its tail may have another one at that place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consumers.folding.fold import JobFold

if TYPE_CHECKING:
    from consumers.folding.decoding import Content
    from consumers.folding.fold import Parked
    from consumers.folding.port import JobView
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.position import Position

EVENTS = 10_000
"""About how many lie between two marks: what is folded in a fraction of a second."""


class Mark(NamedTuple):
    """A fold up to the end of a stream entry."""

    entry: tuple[int, int]
    hash: bytes
    """Of the batch there; empty where it is none."""
    time: int
    """Latest time of any event so far, in µs."""
    parked: int
    """How many events could not be folded."""
    document: bytes | None

    def is_before(self, at: Position | int) -> bool:
        """Tell whether a fold up to `at`, a position or a time in µs, can go on from here."""
        return self.time <= at if isinstance(at, int) else self.entry < at[:2]

    def is_at(self, entry: RecordedBatch) -> bool:
        """Tell whether this was made at the end of that very entry."""
        return self.entry == entry[:2] and self.hash == hash_of(entry)


START = Mark((0, 0), b"", 0, 0, None)


def hash_of(entry: RecordedBatch) -> bytes:
    """Return the chain hash of an entry's batch; empty where it is none."""
    return entry.batch.hash if entry.batch else b""


class MarkingFold(JobFold):
    """The fold of the run state, whose rows are the marks that were passed.

    How many events they count as parked is not in them: who stores them knows.
    """

    def __init__(self, view: type[JobView], job_id: str, document: bytes | None) -> None:
        super().__init__(view, job_id, document)
        self._known = self._ledger.count()
        self._marks: list[Mark] = []

    def apply(
        self, recorded: RecordedBatch, content: Content | None = None, *, refused: str | None = None
    ) -> list[Parked]:
        """Fold what is fresh of one stream entry; return what could not be folded."""
        batch = recorded.batch
        last = self.last(batch.producer) if batch else -1
        parked = super().apply(recorded, content, refused=refused)
        if batch and self.last(batch.producer) > last:
            passed = self._known // EVENTS
            self._known += self.last(batch.producer) - last
            if self._known // EVENTS > passed:
                entry = (recorded.ms, recorded.seq)
                self._marks.append(Mark(entry, batch.hash, self._time(), 0, self.document()))
        return parked

    def rows(self) -> list[Mark]:
        """Return the marks that were passed since the last call."""
        super().rows()
        marks, self._marks = self._marks, []
        return marks

    def _time(self) -> int:
        attempts = self._view.document()["attempts"].values()
        return max((attempt["last"] for attempt in attempts), default=0)
