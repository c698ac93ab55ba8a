"""The jobs of a projection: their documents, and the numbers that rows refer to them by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from consumers.store.engine import driver_of
from consumers.store.schema import job
from consumers.store.slices import slices

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from consumers.store.checkpoints import Lease
    from consumers.store.engine import Database

_SAVE_ON_SQLITE = """
INSERT INTO job (projection, partition, job_id, document) VALUES (?, ?, ?, ?)
ON CONFLICT (projection, job_id) DO UPDATE SET document = excluded.document
RETURNING no"""

_SAVE_ON_POSTGRES = """
INSERT INTO job (projection, partition, job_id, document)
SELECT %s, %s, unnest(%s::text[]), unnest(%s::bytea[])
ON CONFLICT (projection, job_id) DO UPDATE SET document = excluded.document
RETURNING job_id, no"""


def load(database: Database, projection: str, job_ids: Sequence[str]) -> dict[str, bytes]:
    """Return the documents of those jobs that have one."""
    found: dict[str, bytes] = {}
    with database.read(f"loading {len(job_ids)} jobs of {projection}") as connection:
        for some in slices(job_ids):
            query = select(job.c.job_id, job.c.document).where(
                job.c.projection == projection, job.c.job_id.in_(some)
            )
            found.update(
                (job_id, bytes(document)) for job_id, document in connection.execute(query)
            )
    return found


def save(
    connection: Connection, lease: Lease, documents: Collection[tuple[str, bytes]]
) -> dict[str, int]:
    """Write documents; return the number of each job."""
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
    query = select(job.c.no).where(job.c.projection == projection, job.c.job_id == job_id)
    return connection.execute(query).scalar()
