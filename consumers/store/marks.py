"""Marks: folds of before, kept with a view and read by who looks back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import zstandard
from sqlalchemy import delete, func, insert, select, tuple_

from consumers.folding.marks import Mark
from consumers.store.damage import Damages
from consumers.store.documents import LARGEST_BYTES
from consumers.store.schema import job, mark, parked
from synapse_stream.entries.limits import decompress
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from consumers.store.databases import Databases
    from synapse_stream.entries.position import Position

_place = (mark.c.ms, mark.c.seq)


def write(connection: Connection, jobs: Iterable[tuple[int, Sequence[Mark]]]) -> None:
    """Add marks to jobs, which are given by their numbers.

    Those at later ids go: they were made before a server lost its tail and its clock went back.
    """
    for no, marks in jobs:
        if not marks:
            continue
        first = min(one.entry for one in marks)
        late = tuple_(*_place) >= tuple_(*first)
        connection.execute(delete(mark).where(mark.c.job_no == no, late))
        by_entry = {one.entry: one for one in marks}
        connection.execute(insert(mark), [_row(no, one) for one in by_entry.values()])


class StoredMark(NamedTuple):
    """A mark as it stands there, nothing believed."""

    hash: bytes
    """Of the batch there; readers believe the mark by it."""
    document: bytes
    time: int


def of_job(connection: Connection, no: int) -> dict[tuple[int, int], StoredMark]:
    """Return the marks of a job by their entry ids, whatever they hold."""
    rows = connection.execute(select(mark).where(mark.c.job_no == no))
    return {
        (row.ms, row.seq): StoredMark(bytes(row.hash), _plain(bytes(row.document)), row.time)
        for row in rows
    }


class StoredMarks:
    """The marks of a deployment. May be used from several threads."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._damage = Damages(databases)

    def before(self, projection: str, job_id: str, at: Position | int, *, limit: int) -> list[Mark]:
        """Return the last marks from which a fold up to `at` can go on, the latest first.

        For a time none behind an event that is parked: when that was reported no mark tells.

        Raises:
            StoreUnavailable: the database could not be read.
        """
        if isinstance(at, int):
            is_time, reached = True, mark.c.time <= at
        else:
            is_time, reached = False, tuple_(*_place) < tuple_(*at[:2])
        of_job = (job.c.projection == projection) & (job.c.job_id == job_id)
        newest = (column.desc() for column in _place)
        query = select(mark).join(job, job.c.no == mark.c.job_no).where(of_job, reached)
        with self._databases.reading(projection, f"reading marks of {job_id!r}") as connection:
            found = [
                Mark(
                    entry=(row.ms, row.seq),
                    hash=bytes(row.hash),
                    time=row.time,
                    parked=_parked(connection, projection, job_id, (row.ms, row.seq)),
                    document=_plain(bytes(row.document)),
                )
                for row in connection.execute(query.order_by(*newest).limit(limit)).all()
            ]
        if not all(one.document for one in found):
            self._damage.noted(projection, job_id, DecodeError("a mark is no zstd frame"))
        return [one for one in found if one.document and not (is_time and one.parked)]

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self._databases.close()


def _row(job_no: int, one: Mark) -> dict[str, Any]:
    ms, seq = one.entry
    document = zstandard.compress(one.document or b"")
    row = {"job_no": job_no, "ms": ms, "seq": seq, "time": one.time}
    return {**row, "hash": one.hash, "document": document}


def _parked(connection: Connection, projection: str, job_id: str, entry: tuple[int, int]) -> int:
    upto = tuple_(parked.c.ms, parked.c.seq) <= tuple_(*entry)
    of_job = (parked.c.projection == projection) & (parked.c.job_id == job_id)
    query = select(func.count()).select_from(parked).where(of_job, upto)
    return int(connection.execute(query).scalar_one())


def _plain(frame: bytes) -> bytes:
    """Return what is compressed; nothing of a frame that is none, which no fold gives."""
    try:
        return decompress(frame, LARGEST_BYTES)
    except (ValueError, MemoryError, zstandard.ZstdError):
        return b""
