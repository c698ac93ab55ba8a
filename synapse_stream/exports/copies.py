"""Import a run: into the archive, so that it keeps every byte, hash and position.

Appended to streams it would get new positions, since a server gives ids in the order of arrival;
and an export of it would be another file.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from synapse_stream.entries.batch import RawEntry, unpack
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import JobExists

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.exports.exact import ExactFile
    from synapse_stream.ports.archive import Archive
    from synapse_stream.reading.job_reader import JobReader


def import_run(source: ExactFile, reader: JobReader, archive: Archive) -> bool:
    """Archive a run that is not there yet; one that is must be the same, entry by entry.

    Returns:
        False when it was there.

    Raises:
        DecodeError: the export is not whole; nothing was archived.
        JobExists: another run of that name is there.
    """
    if reader.read_after(source.job_id, BEGINNING, limit=1):
        _compare(source, reader)
        return False
    entries = (_raw(entry) for entry in source.entries())
    archive.add(source.job_id, entries, source.joins, source.erasures)
    return True


def _compare(source: ExactFile, reader: JobReader) -> None:
    there = reader.entries(source.job_id)
    for mine, found in zip_longest(_unpacked(source, source.entries()), _unpacked(source, there)):
        if mine is None or found is None or not _is_same(mine, found):
            first = mine or found
            assert first is not None  # noqa: S101 - zip_longest ends when both do
            msg = (
                f"job {source.job_id!r} is there already, and differs from the export at "
                f"{first.ms}-{first.seq}: expected {_shown(mine)}, found {_shown(found)}"
            )
            raise JobExists(msg)


def _is_same(mine: RawEntry, found: RawEntry) -> bool:
    return mine[:2] == found[:2] and list(mine.fields.items()) == list(found.fields.items())


def _unpacked(source: ExactFile, entries: Iterator[RecordedBatch]) -> Iterator[RawEntry]:
    return (unpack(source.job_id, _raw(entry)) for entry in entries)


def _raw(entry: RecordedBatch) -> RawEntry:
    return RawEntry(entry.ms, entry.seq, entry.raw or {})


def _shown(entry: RawEntry | None) -> str:
    return "nothing" if entry is None else f"{dict(entry.fields)!r:.200}"
