"""Folds that leave marks on their way."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from consumers.folding.fold import JobFold
from consumers.folding.marks import Mark
from synapse_stream.ports.job_view import JobView

if TYPE_CHECKING:
    from consumers.folding.decoding import Content
    from consumers.folding.port import Parked
    from synapse_stream.entries.entry import RecordedBatch

EVENTS = 10_000
"""About how many lie between two marks: what is folded in a fraction of a second."""


class TimedView(JobView):
    """A view that knows how late it is."""

    @abstractmethod
    def latest_time(self) -> int:
        """Return the latest time of any event that was folded, in µs; 0 before the first."""


class MarkingFold(JobFold):
    """A fold that notes marks on its way.

    How many events they count as parked is not in them: who stores them knows.
    """

    _view: TimedView

    def __init__(self, view: type[TimedView], job_id: str, document: bytes | None) -> None:
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
                time = self._view.latest_time()
                self._marks.append(Mark(entry, batch.hash, time, 0, self.document()))
        return parked

    def marks(self) -> list[Mark]:
        """Return the marks that were passed since the last call."""
        marks, self._marks = self._marks, []
        return marks
