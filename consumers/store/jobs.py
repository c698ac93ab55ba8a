"""The jobs of a projection: their documents, and the numbers that rows refer to them by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sqlalchemy import delete, select

from consumers.store.documents import Bases, is_framed, whole
from consumers.store.schema import change, job
from consumers.store.sql import driver_of, insert_into, slices

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection, Select

    from consumers.folding.marks import Mark
    from consumers.folding.port import Fold
    from consumers.store.lease import Lease

_SAVE_ON_SQLITE = """
INSERT INTO job (projection, partition, job_id, document) VALUES (?, ?, ?, ?)
ON CONFLICT (projection, job_id) DO UPDATE SET document = excluded.document
RETURNING no"""

_SAVE_ON_POSTGRES = """
INSERT INTO job (projection, partition, job_id, document)
SELECT %s, %s, unnest(%s::text[]), unnest(%s::bytea[])
ON CONFLICT (projection, job_id) DO UPDATE SET document = excluded.document
RETURNING job_id, no"""


class JobWrite(NamedTuple):
    """What a commit writes of one job."""

    job_id: str
    document: bytes
    """As `Fold.document` returns it."""
    rows: Any
    """As `Fold.rows` returns them."""
    entry: tuple[int, int]
    """Id of the job's first stream entry in this commit. What the first commit of a job says here
    stays: jobs are listed by their age."""
    marks: Sequence[Mark] = ()

    @classmethod
    def of(cls, fold: Fold, entry: tuple[int, int]) -> Self:
        """Take from a fold what has come since it was taken last."""
        return cls(fold.job_id, fold.document(), fold.rows(), entry, fold.marks())


def load(connection: Connection, projection: str, job_ids: Sequence[str]) -> dict[str, bytes]:
    """Return the documents of those jobs that have one."""
    rows: list[Any] = []
    for some in slices(job_ids):
        query = read(job.c.job_id).where(job.c.projection == projection, job.c.job_id.in_(some))
        rows += connection.execute(query)
    return {row.job_id: whole(row.document, row.body) for row in rows}


def read(*columns: Any) -> Select[Any]:
    """Return a SELECT of jobs; its rows have `document` and `body`: see `documents.whole`."""
    of_job = change.c.job_no == job.c.no
    return select(*columns, job.c.document, change.c.body).outerjoin_from(job, change, of_job)


def is_of(projection: str, job_id: str) -> Any:
    """Return the condition that a row of `job` is that of a job."""
    return (job.c.projection == projection) & (job.c.job_id == job_id)


def save(
    connection: Connection,
    lease: Lease,
    documents: Collection[tuple[str, bytes]],
    bases: Bases | None = None,
) -> dict[str, int]:
    """Write documents, of large ones of which there is a base the change; return jobs' numbers."""
    bases = bases or Bases()
    plans = {job_id: bases.plan(lease.projection, job_id, text) for job_id, text in documents}
    whole_ones = [(job_id, plan.document) for job_id, plan in plans.items() if plan.document]
    numbers = _save(connection, lease, whole_ones)
    large = [numbers[job_id] for job_id, document in whole_ones if is_framed(document)]
    if large:
        connection.execute(delete(change).where(change.c.job_no.in_(large)))
    bases.note(lease.projection, numbers)
    for job_id, plan in plans.items():
        if plan.change is not None:
            no = numbers[job_id] = bases.number(lease.projection, job_id)
            row = insert_into(connection, change).values(job_no=no, body=plan.change)
            new = {"body": plan.change}
            connection.execute(row.on_conflict_do_update(change.primary_key, set_=new))
    return numbers


def _save(
    connection: Connection, lease: Lease, documents: Collection[tuple[str, bytes]]
) -> dict[str, int]:
    driver = driver_of(connection)
    if connection.dialect.name == "sqlite":
        place = (lease.projection, lease.partition)
        return {
            job_id: driver.execute(_SAVE_ON_SQLITE, (*place, job_id, document)).fetchone()[0]
            for job_id, document in documents
        }
    job_ids = [job_id for job_id, _ in documents]
    bodies = [document for _, document in documents]
    columns = (lease.projection, lease.partition, job_ids, bodies)
    return dict(driver.execute(_SAVE_ON_POSTGRES, columns).fetchall())


def number(connection: Connection, projection: str, job_id: str) -> int | None:
    """Return the number of a job, None if the projection does not know it."""
    return connection.execute(select(job.c.no).where(is_of(projection, job_id))).scalar()
