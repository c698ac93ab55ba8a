"""Erasing lines in the archive, by who archives the job and under its lease.

Blocks that hold a line are written anew, the manifest says what was erased, and what was asked for
is settled, in one transaction. Entries keep their places, ids and hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete

from consumers.store import erasures as asked_for
from consumers.store import jobs
from consumers.store.schema import block
from consumers.views.archive.block import loose_blocks, packed_blocks
from consumers.views.archive.blocks import insert_blocks
from consumers.views.archive.raw import RawArchive
from synapse_stream.entries.batch import RawEntry, encode_fields, parse_fields
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.erasing import (
    ERASED,
    CannotErase,
    Erasure,
    erase,
    erased_numbers,
    numbered_leaves,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from consumers.store.erasures import Asked
    from consumers.store.lease import Lease
    from consumers.store.store import Store
    from consumers.views.archive.block import Block
    from consumers.views.archive.fold import ArchiveFold
    from consumers.views.archive.raw import StoredBlock
    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import EntryId

_Lines = tuple[str, int, int]
"""Producer, first and last number."""


class _Changed(NamedTuple):
    """A block that is to be written anew."""

    start: int
    entries: list[RawEntry]
    is_loose: bool


def erase_asked(store: Store, lease: Lease, asked: Sequence[Asked], fold: ArchiveFold) -> None:
    """Erase lines of one job; `fold` is its manifest as it is committed, and changes with that.

    Raises:
        LeaseLost: another has taken over; nothing was changed.
        StoreUnavailable: it is unknown whether it was.
    """
    archive, job_id = RawArchive(store.databases), asked[0].job_id
    places = _places(archive.blocks(job_id), job_id, {one.position[:2] for one in asked})
    outcomes: dict[int, str] = {}
    lines: dict[int, _Lines] = {}
    for one in asked:
        try:
            lines[one.no] = _find(places.get(one.position[:2]), one)
        except CannotErase as error:
            outcomes[one.no] = f"not done: {error}"
    try:
        wanted = [*dict.fromkeys(lines.values())]
        changed = list(_changed(archive.blocks(job_id), job_id, wanted))
    except CannotErase as error:
        outcomes |= dict.fromkeys(lines, f"not done: {error}")
        wanted, changed = [], []
    erasures = list(_acts(asked, lines, changed, job_id)) if wanted else []
    roots = _roots(archive, fold, job_id, wanted) if wanted else {}
    until = max((entry[:2] for one in changed for entry in one.entries), default=None)
    with store.changing(lease, f"erasing lines of job {job_id!r}") as connection:
        number = jobs.number(connection, lease.projection, job_id)
        for found in changed if number is not None else ():
            here = (block.c.job_no == number) & (block.c.start == found.start)
            connection.execute(delete(block).where(here))
            insert_blocks(connection, number or 0, lease.partition, _blocks(job_id, found))
        if wanted:
            fold.erase(erasures, roots)
            jobs.save(connection, lease, [(job_id, fold.document())])
        for request in asked:
            outcome = outcomes.get(request.no, ERASED)
            asked_for.settle(connection, request.no, outcome, until if wanted else None)


def _places(
    blocks: Iterable[StoredBlock], job_id: str, wanted: Collection[EntryId]
) -> dict[EntryId, Batch]:
    """Return the batches that stand at these entries; of several with one id the newest."""
    return {
        entry[:2]: batch
        for one in blocks
        if not isinstance(one.content, str)
        for entry in one.content
        if entry[:2] in wanted and (batch := recorded_batch(job_id, entry).batch)
    }


def _find(batch: Batch | None, asked: Asked) -> _Lines:
    """Return producer and numbers of the leaf in which a line of a batch is.

    Raises:
        CannotErase: there is no such line in the archive.
    """
    index = asked.position.index
    for first, last, leaf in numbered_leaves(batch) if batch else ():
        count = leaf.lines.count(b"\n")
        if index < count:
            assert batch is not None  # noqa: S101 - it has leaves
            if b'"type":"loss"' in leaf.lines and batch.last - batch.first >= count:
                break
            return batch.producer, first, last
        index -= count
    msg = f"the archive has no line of job {asked.job_id!r} at {asked.position}"
    raise CannotErase(msg)


def _changed(
    blocks: Iterable[StoredBlock], job_id: str, wanted: Sequence[_Lines]
) -> Iterator[_Changed]:
    """Yield the blocks that have any of these lines, without them."""
    for one in blocks:
        if isinstance(one.content, str):
            continue
        entries = [_without(job_id, entry, wanted) for entry in one.content]
        if any(new is not old for new, old in zip(entries, one.content, strict=True)):
            yield _Changed(one.start, entries, one.is_loose)


def _without(job_id: str, entry: RawEntry, wanted: Sequence[_Lines]) -> RawEntry:
    part = parse_fields(entry.fields)
    name = part.producer.decode() if part else ""
    mine = [
        (first, last)
        for producer, first, last in wanted
        if part and producer == name and first <= part.last and last >= part.first
    ]
    batch = recorded_batch(job_id, entry).batch if mine else None
    if batch is None:
        return entry
    less = batch
    for first, last in mine:
        less = erase(less, first, last)
    return entry if less is batch else RawEntry(*entry[:2], _fields(less))


def _fields(batch: Batch) -> Mapping[bytes, bytes]:
    written = encode_fields(batch).items()
    return {
        name.encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in written
    }


def _acts(
    asked: Sequence[Asked],
    lines: Mapping[int, _Lines],
    changed: Sequence[_Changed],
    job_id: str,
) -> Iterator[Erasure]:
    """Yield what is written down: of every leaf that is erased now, who asked for it and why."""
    known: set[tuple[str, int, int, str]] = set()
    for one in changed:
        for entry in one.entries:
            batch = recorded_batch(job_id, entry).batch
            for first, last, digest in erased_numbers(batch) if batch else ():
                assert batch is not None  # noqa: S101 - it has erased numbers
                found = (batch.producer, first, last, digest)
                asker = _asker(asked, lines, batch.producer, first, last)
                if found not in known and asker is not None:
                    known.add(found)
                    said = (str(asker.position), asker.time_ms, asker.reason, asker.by)
                    yield Erasure(batch.producer, first, last, *said, digest)


def _asker(
    asked: Sequence[Asked], lines: Mapping[int, _Lines], producer: str, first: int, last: int
) -> Asked | None:
    for one in asked:
        name, begin, end = lines.get(one.no, ("", 0, -1))
        if name == producer and begin <= last and end >= first:
            return one
    return None


def _roots(
    archive: RawArchive, fold: ArchiveFold, job_id: str, wanted: Sequence[_Lines]
) -> dict[str, dict[int, bytes]]:
    """Return the roots of the batches in which any of these lines came again."""
    found: dict[str, dict[int, bytes]] = {}
    for producer, cut in fold.cuts():
        first = cut.first
        for batch in cut.batches:
            is_touched = any(
                name == producer and begin <= batch.end and end >= first
                for name, begin, end in wanted
            )
            if is_touched:
                lines = _lines(archive.blocks(job_id), job_id, producer, first, batch.end)
                found.setdefault(producer, {})[batch.end] = batch.root(lines)
            first = batch.end + 1
    return found


def _lines(
    blocks: Iterable[StoredBlock], job_id: str, producer: str, first: int, last: int
) -> bytes:
    found: dict[int, bytes] = {}
    for one in blocks:
        for entry in () if isinstance(one.content, str) else one.content:
            batch = recorded_batch(job_id, entry).batch
            if batch and batch.producer == producer and batch.first <= last:
                lines = batch.lines()
                for number, line in enumerate(lines, batch.last + 1 - len(lines)):
                    if first <= number <= last:
                        found.setdefault(number, line + b"\n")
    return b"".join(line for _, line in sorted(found.items()))


def _blocks(job_id: str, one: _Changed) -> Iterator[tuple[int, Block]]:
    start = one.start
    parts = [parse_fields(entry.fields) for entry in one.entries]
    loose = loose_blocks(one.entries, parts) if one.is_loose else None
    for each in loose or packed_blocks(job_id, iter(one.entries)):
        yield start, each
        start += each.entries
