"""Which jobs are to be folded anew, what came of it, and which version documents are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson
from sqlalchemy import func, select, update

from consumers.store import folds
from consumers.store.checkpoints import fence
from consumers.store.documents import whole
from consumers.store.schema import checkpoint, insert_into, job, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from consumers.store.checkpoints import Lease
    from consumers.store.engine import Database

_JOBS_A_LOOK = 200


class Rebuild(NamedTuple):
    """One job of one projection that was to be folded anew."""

    no: int
    """Its place among those of the projection."""
    projection: str
    job_id: str
    partition: int
    is_rollback: bool
    """True when what it was before the last rebuild shall be brought back."""
    times: int
    """How often it was asked for."""
    outcome: str | None
    """None until it is done; then a sentence."""
    difference: str | None
    """The first difference from what was there before, None if there is none."""


def ask(
    database: Database, projection: str, jobs: Iterable[tuple[str, int]], *, is_rollback: bool
) -> int:
    """Have jobs, given with their partitions, folded anew by who projects them; return how many."""
    count = 0
    with database.write(f"asking for rebuilds of {projection}") as connection:
        for job_id, partition in jobs:
            row = insert_into(connection, rebuild).values(
                projection=projection,
                job_id=job_id,
                partition=partition,
                is_rollback=is_rollback,
                times=1,
            )
            again = {
                "is_rollback": is_rollback,
                "times": rebuild.c.times + 1,
                "outcome": None,
                "difference": None,
            }
            key = [rebuild.c.projection, rebuild.c.job_id]
            connection.execute(row.on_conflict_do_update(index_elements=key, set_=again))
            count += 1
    return count


def jobs_of(database: Database, name: str) -> dict[str, int]:
    """Return the jobs that are kept under a name, with their partitions."""
    query = select(job.c.job_id, job.c.partition).where(job.c.projection == name)
    with database.read(f"listing the jobs of {name}") as connection:
        return {row.job_id: row.partition for row in connection.execute(query)}


def due(database: Database, projection: str, partition: int) -> Rebuild | None:
    """Return what was asked for first of a partition, and is not done."""
    query = select(rebuild).where(_due(projection), rebuild.c.partition == partition)
    with database.read(f"looking for rebuilds of {projection}") as connection:
        row = connection.execute(query.order_by(rebuild.c.no).limit(1)).first()
    return None if row is None else Rebuild(*row)


def partitions_due(database: Database, projection: str) -> set[int]:
    """Return the partitions that have something to be folded anew."""
    query = select(rebuild.c.partition).where(_due(projection)).distinct()
    with database.read(f"looking for rebuilds of {projection}") as connection:
        return set(connection.execute(query).scalars())


def settle(
    connection: Connection, asked: Rebuild, outcome: str, difference: str | None = None
) -> None:
    """Note what came of it; if it was asked for once more since, it stays to be done."""
    done = update(rebuild).where(rebuild.c.no == asked.no, rebuild.c.times == asked.times)
    connection.execute(done.values(outcome=outcome, difference=difference))


def list_rebuilds(
    database: Database, projection: str, job_id: str | None, after: int, limit: int
) -> list[Rebuild]:
    """Return what was asked for, in order; `after` is the number of the last one seen."""
    query = select(rebuild).where(rebuild.c.projection == projection, rebuild.c.no > after)
    if job_id is not None:
        query = query.where(rebuild.c.job_id == job_id)
    with database.read(f"listing rebuilds of {projection}") as connection:
        return [Rebuild(*row) for row in connection.execute(query.order_by("no").limit(limit))]


def count_due(database: Database, projection: str) -> int:
    """Return how many are not done."""
    query = select(func.count()).where(_due(projection))
    with database.read(f"counting rebuilds of {projection}") as connection:
        return int(connection.execute(query).scalar_one())


def begin_version(database: Database, lease: Lease, version: int) -> bool:
    """Return True when all documents of the partition are known to be of `version`.

    If not, they are known to be of none from now on, until `note_version`.
    """
    here = (checkpoint.c.projection == lease.projection) & (
        checkpoint.c.partition == lease.partition
    )
    doing = f"looking for the version of {lease.projection}"
    with database.read(doing) as connection:
        noted = connection.execute(select(checkpoint.c.version).where(here)).scalar()
    if noted == version:
        return True
    if noted is not None:
        note_version(database, lease, None)
    return False


def note_version(database: Database, lease: Lease, version: int | None) -> None:
    """Note that all documents of the partition are of a version, or will be when due is done."""
    here = (checkpoint.c.projection == lease.projection) & (
        checkpoint.c.partition == lease.partition
    )
    with database.write(f"noting the version of {lease.projection}") as connection:
        fence(connection, lease)
        connection.execute(update(checkpoint).where(here).values(version=version))


def find_outdated(
    database: Database, lease: Lease, version: int, after: int
) -> tuple[Sequence[str], int | None]:
    """Look at some jobs of the partition behind the number `after`.

    Returns:
        Those whose documents are of another version, and where to go on; None at the end.
    """
    query = folds.read(job.c.no, job.c.job_id).where(
        job.c.projection == lease.projection, job.c.partition == lease.partition, job.c.no > after
    )
    with database.read(f"looking for outdated jobs of {lease.projection}") as connection:
        rows = connection.execute(query.order_by(job.c.no).limit(_JOBS_A_LOOK)).all()
    texts = ((row.job_id, whole(row.document, row.body)) for row in rows)
    outdated = [job_id for job_id, document in texts if orjson.loads(document)["v"] != version]
    return outdated, rows[-1].no if len(rows) == _JOBS_A_LOOK else None


def _due(projection: str) -> ColumnElement[bool]:
    return (rebuild.c.projection == projection) & rebuild.c.outcome.is_(None)
