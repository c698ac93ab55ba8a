"""Does the archive hold what was received, byte for byte: all of it, once, in order?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.views.archive.fold import ArchiveFold
from synapse_stream.entries.batch import RawEntry, parse_fields, unpack
from tests.support.scenes.counting import count

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from consumers.views.archive.reader import StoredArchive
    from synapse_stream.entries.entry import RecordedBatch
    from tests.support.scenes.audit import Tally

_PAGE = 500


def compare_archive(
    tally: Tally,
    job: str,
    entries: Sequence[RecordedBatch],
    archive: StoredArchive,
    *,
    positions: bool,
) -> None:
    """Compare a job's archive with its stream; without positions only what producers wrote."""
    fold = ArchiveFold(job, None)
    for entry in entries:
        fold.apply(_raw(entry))
    wanted = [unpack(job, entry) for entry in fold.rows().entries]
    found = [_raw(entry) for entry in read_archive(archive, job)]
    if positions:
        count(tally, f"archive of {job}", _with_places(wanted), _with_places(found))
        manifest = archive.manifest(job)
        here = (manifest.entries, manifest.events) if manifest else (0, 0)
        there = (
            len(found),
            sum(mark.events for mark in manifest.producers.values()) if manifest else 0,
        )
        count(tally, f"manifest of {job}", [there], [here])
        return
    lines, stored = _lines(wanted), _lines(found)
    for producer in sorted({*lines, *stored}):
        of_producer = f"archive of {job}, {producer!r}"
        count(tally, of_producer, lines.get(producer, []), stored.get(producer, []))


def read_archive(archive: StoredArchive, job: str) -> Iterator[RecordedBatch]:
    """Read all that is archived of a job, in pages."""
    index = 0
    while page := archive.read(job, index, limit=_PAGE):
        yield from page
        index += len(page)


def _raw(entry: RecordedBatch) -> RawEntry:
    assert entry.raw is not None
    return RawEntry(entry.ms, entry.seq, entry.raw)


def _with_places(entries: Iterable[RawEntry]) -> list[Hashable]:
    return [(ms, seq, *fields.items()) for ms, seq, fields in entries]


def _lines(entries: Iterable[RawEntry]) -> dict[bytes, list[Hashable]]:
    """Return every producer's lines with their numbers, those that are known left out."""
    found: dict[bytes, list[Hashable]] = {}
    for entry in entries:
        part = parse_fields(entry.fields)
        if part is None:
            continue
        mine = found.setdefault(part.producer, [])
        lines = part.payload.split(b"\n")[:-1]
        for number, line in enumerate(lines, part.last - len(lines) + 1):
            if number >= len(mine):
                mine.append((number, line))
    return found
