"""Archive a job that was read elsewhere: all of it appears at once, or nothing.

Its blocks come under a job of another projection's name, block by block, so that no writer waits
long; the last transaction gives the job its place. What an import that was killed has left is
removed by the next one of the same job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from consumers.store import jobs
from consumers.store.schema import block, job
from consumers.views.archive.block import packed_blocks
from consumers.views.archive.blocks import insert_blocks
from consumers.views.archive.fold import ArchiveFold
from consumers.views.archive.raw import PROJECTION
from synapse_stream.errors import JobExists

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from consumers.store.databases import Databases
    from consumers.store.engine import Database
    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.entries.erasing import Erasure

_STAGED = "archive-import"


def add_job(
    databases: Databases,
    job_id: str,
    entries: Iterable[RawEntry],
    joins: Mapping[str, Sequence[Sequence[Any]]],
    erasures: Sequence[Erasure] = (),
) -> None:
    """Archive a whole job; if `entries` fails, nothing.

    Raises:
        JobExists: the archive has such a job.
    """
    database = databases.of(PROJECTION)
    partition = databases.partition(job_id)
    no = _stage(database, job_id, partition)
    fold = ArchiveFold(job_id, None)
    try:
        start = 0
        for one in packed_blocks(job_id, _taken(fold, entries)):
            with database.write(f"importing job {job_id!r}") as connection:
                insert_blocks(connection, no, partition, [(start, one)])
            start += one.entries
        fold.take_over(joins, erasures)
        _publish(database, job_id, no, fold.document())
    except BaseException:
        _remove(database, no)
        raise


def _taken(fold: ArchiveFold, entries: Iterable[RawEntry]) -> Iterator[RawEntry]:
    for entry in entries:
        fold.apply(entry)
        yield from fold.rows().entries


def _stage(database: Database, job_id: str, partition: int) -> int:
    with database.write(f"importing job {job_id!r}") as connection:
        _refuse_known(jobs.number(connection, PROJECTION, job_id), job_id)
        left = jobs.number(connection, _STAGED, job_id)
        if left is not None:
            connection.execute(delete(block).where(block.c.job_no == left))
            connection.execute(delete(job).where(job.c.no == left))
        row = insert(job).values(
            projection=_STAGED, job_id=job_id, partition=partition, document=b"{}"
        )
        return int(connection.execute(row.returning(job.c.no)).scalar_one())


def _publish(database: Database, job_id: str, no: int, document: bytes) -> None:
    with database.write(f"importing job {job_id!r}") as connection:
        _refuse_known(jobs.number(connection, PROJECTION, job_id), job_id)
        place = update(job).where(job.c.no == no, job.c.projection == _STAGED)
        placed = connection.execute(place.values(projection=PROJECTION, document=document))
        if placed.rowcount != 1:
            msg = f"job {job_id!r} is being imported by another process"
            raise JobExists(msg)


def _remove(database: Database, no: int) -> None:
    with database.write("removing what was imported in part") as connection:
        of_import = select(job.c.no).where(job.c.no == no, job.c.projection == _STAGED)
        if connection.execute(of_import).scalar() is not None:
            connection.execute(delete(block).where(block.c.job_no == no))
            connection.execute(delete(job).where(job.c.no == no))


def _refuse_known(no: int | None, job_id: str) -> None:
    if no is not None:
        msg = f"the archive has a job {job_id!r} already"
        raise JobExists(msg)
