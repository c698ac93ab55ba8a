"""The archive as one thing: it unpacks nothing, and is made from nothing else."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from consumers.errors import Unreadable
from consumers.views.archive.fold import ArchiveFold
from consumers.views.archive.reader import StoredArchive
from consumers.views.archive.table import BlockTable
from consumers.views.port import View
from synapse_stream.entries.limits import size_of

if TYPE_CHECKING:
    from consumers.store.databases import Databases
    from consumers.views.port import OpenFold
    from synapse_stream.entries.batch import RawEntry

_logger = logging.getLogger("synapse_stream.consumers")


@dataclass(frozen=True)
class ArchiveView(View):
    """Takes entries as they are received."""

    rules: type[Any]
    """`ArchiveFold`, whose manifest is what others have as ledger and view."""

    def opener(self, databases: Databases) -> OpenFold:
        """Return what opens manifests; one that is damaged is made anew from what is archived."""
        return partial(_open, StoredArchive(databases))

    def take(self, _job_id: str, entry: RawEntry) -> tuple[Any, int]:
        """Return the entry itself, and how many bytes it holds."""
        return entry, size_of(entry.fields)


def _open(archive: StoredArchive, job_id: str, document: bytes | None) -> ArchiveFold:
    def has_stray(entry: RawEntry) -> bool:
        try:
            return archive.has(job_id, entry)
        except Unreadable:
            return False  # rather twice than not at all

    try:
        return ArchiveFold(job_id, document, has_stray=has_stray)
    except Exception as error:  # noqa: BLE001 - whatever stands in the store
        _logger.warning(
            "the archive's manifest of job %r is damaged, it is made anew: %r", job_id, error
        )
        return ArchiveFold(job_id, archive.refold(job_id), has_stray=has_stray)


VIEW = ArchiveView(
    ArchiveFold, BlockTable(), is_record=True, events_a_turn=500_000, reads_ahead=True
)
