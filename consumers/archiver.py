"""One partition of the archive: entries go from the stream to the store, nothing unpacked."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from consumers.archive.fold import ArchiveFold
from consumers.held import Held
from consumers.notary import open_notary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.projections.base import JobView
    from consumers.store import Lease, Store
    from synapse_stream.log.event_log import FeedPointer
    from synapse_stream.log.feeds import EntryId, FeedLog
    from synapse_stream.settings import Settings


class HeldArchive(Held):
    """Reads behind `position` and commits what is new. Not thread-safe."""

    events_a_turn: ClassVar[int] = 500_000

    def __init__(self, view: type[Any], store: Store, lease: Lease, settings: Settings) -> None:
        super().__init__(view, store, lease, settings)
        self._notary = open_notary(store, settings, lease.partition)

    def compact(self) -> None:
        """Merge what is stored in small pieces, and anchor runs that pause."""
        super().compact()
        if self._notary:
            self._notary.look()

    def _commit(self, upto: EntryId, batches: list[tuple[str, Any]]) -> None:
        super()._commit(upto, batches)
        if self._notary:
            self._notary.note(Counter(job_id for job_id, _ in batches))

    def _open_fold(self, job_id: str, document: bytes | None) -> ArchiveFold:
        return ArchiveFold(job_id, document, has_stray=partial(self._store.has_archived, job_id))

    def _read(
        self, log: FeedLog, pointers: Sequence[FeedPointer]
    ) -> tuple[Sequence[tuple[str, Any]], int]:
        found = log.read_raw_entries(pointers)
        return found, sum(sum(map(len, entry.fields.values())) for _, entry in found)


def hold(
    projection: type[JobView | ArchiveFold], store: Store, lease: Lease, settings: Settings
) -> Held:
    """Return what drives a projection over the partition of a lease."""
    kind = HeldArchive if projection is ArchiveFold else Held
    return kind(projection, store, lease, settings)
