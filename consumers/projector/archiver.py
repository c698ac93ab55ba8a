"""What drives a projection over a partition, and how the archive's and the run state's differ."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from consumers.audit.notary import open_notary
from consumers.projector.partition import Held
from consumers.views.archive.fold import ArchiveFold
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.marks import MarkingFold
from synapse_stream.entries.limits import size_of

if TYPE_CHECKING:
    from consumers.folding.port import JobView
    from consumers.projector.portions import Portion
    from consumers.store.checkpoints import Lease
    from consumers.store.store import Store
    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.reading.job_reader import JobReader
    from synapse_stream.settings import Settings


_logger = logging.getLogger("synapse_stream.consumers")


class HeldRuns(Held):
    """Also commits marks, for who looks back. Not thread-safe."""

    def open_fold(self, job_id: str, document: bytes | None) -> MarkingFold:
        """Go on from a document, or begin a new job."""
        return MarkingFold(self._view, job_id, document)


class HeldArchive(Held):
    """Brings entries from the stream to the store, nothing unpacked. Not thread-safe."""

    events_a_turn: ClassVar[int] = 500_000
    reads_ahead: ClassVar[bool] = True

    def __init__(self, view: type[Any], store: Store, lease: Lease, settings: Settings) -> None:
        super().__init__(view, store, lease, settings)
        self._notary = open_notary(store, settings, lease.partition)

    def rebuild(self, _reader: JobReader, _seconds: float) -> bool:
        """Return False: there is nothing to make an archive from."""
        return False

    def compact(self) -> None:
        """Merge what is stored in small pieces, and anchor runs that pause."""
        super().compact()
        if self._notary:
            self._notary.look()

    def _commit(self, portion: Portion) -> None:
        super()._commit(portion)
        if self._notary:
            self._notary.note(Counter(job_id for job_id, _ in portion.entries))

    def open_fold(self, job_id: str, document: bytes | None) -> ArchiveFold:
        """Go on from a manifest, or begin a new job.

        A manifest that is damaged is made anew from what is archived.
        """
        has_stray = partial(self._store.has_archived, job_id)
        try:
            return ArchiveFold(job_id, document, has_stray=has_stray)
        except Exception:  # whatever stands in the store
            _logger.exception(
                "the archive's manifest of job %r is damaged, it is made anew", job_id
            )
            document = self._store.archive.refold(job_id)
            return ArchiveFold(job_id, document, has_stray=has_stray)

    def _take(self, _job_id: str, entry: RawEntry) -> tuple[Any, int]:
        return entry, size_of(entry.fields)


def hold(
    projection: type[JobView | ArchiveFold], store: Store, lease: Lease, settings: Settings
) -> Held:
    """Return what drives a projection over the partition of a lease."""
    kind = {ArchiveFold.name: HeldArchive, RunStateView.name: HeldRuns}.get(projection.name, Held)
    return kind(projection, store, lease, settings)
