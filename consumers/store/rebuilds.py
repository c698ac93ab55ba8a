"""Which jobs are to be folded anew, what came of it, and which version documents are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import func, select, update

from consumers.store.documents import whole
from consumers.store.jobs import read
from consumers.store.leases import fence
from consumers.store.schema import checkpoint, job, rebuild
from consumers.store.sql import insert_into

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import ColumnElement, Connection

    from consumers.store.databases import Databases
    from consumers.store.lease import Lease

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


class Rebuilds:
    """What is to be folded anew, and why. Each method is one transaction of its own.

    Every method raises StoreUnavailable when the database did not take or answer a statement; those
    that are given a lease raise LeaseLost when another has taken over.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def ask(self, projection: str, job_id: str | None = None, *, is_rollback: bool = False) -> int:
        """Have a job, or all that are recorded, folded anew by who projects it; return how many.

        With `is_rollback` what was live before the last rebuild comes back, of jobs of which that
        is kept.
        """
        if job_id is not None:
            jobs = {job_id: self._databases.partition(job_id)}
        elif is_rollback:
            jobs = self._named(old(projection), projection)
        else:
            jobs = self._named(projection, projection)
            record = self._databases.record
            jobs |= self._named(record, record)
        return self.ask_jobs(projection, sorted(jobs.items()), is_rollback=is_rollback)

    def ask_jobs(
        self, projection: str, jobs: Iterable[tuple[str, int]], *, is_rollback: bool = False
    ) -> int:
        """Have jobs, given with their partitions, folded anew; return how many there were.

        What was asked for again stands where it was.
        """
        doing = f"asking for rebuilds of {projection}"
        with self._databases.of(projection).write(doing) as connection:
            return ask(connection, projection, jobs, is_rollback=is_rollback)

    def ask_recorded(self, lease: Lease, *, only_unknown: bool) -> Collection[str]:
        """Have all jobs of the partition that are recorded folded anew; return them.

        With `only_unknown` it is those of which the projection has nothing.
        """
        record, (name, partition) = self._databases.record, lease[:2]
        jobs = self._named(record, record, partition)
        for known in self._named(name, name, partition) if only_unknown else ():
            jobs.pop(known, None)
        self.ask_jobs(lease.projection, sorted(jobs.items()))
        return jobs.keys()

    def asked(
        self, projection: str, *, job_id: str | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[Rebuild]:
        """Return what was asked for, and its outcome; `after` is the number of the last seen."""
        query = select(rebuild).where(rebuild.c.projection == projection, rebuild.c.no > after)
        if job_id is not None:
            query = query.where(rebuild.c.job_id == job_id)
        with self._reading(projection, "listing rebuilds") as connection:
            return [Rebuild(*row) for row in connection.execute(query.order_by("no").limit(limit))]

    def count_due(self, projection: str) -> int:
        """Return how many jobs are still to be folded anew."""
        query = select(func.count()).where(_due(projection))
        with self._reading(projection, "counting rebuilds") as connection:
            return int(connection.execute(query).scalar_one())

    def due(self, lease: Lease) -> Rebuild | None:
        """Return what was asked for first of a partition, and is not done."""
        query = select(rebuild).where(
            _due(lease.projection), rebuild.c.partition == lease.partition
        )
        with self._reading(lease.projection, "looking for rebuilds") as connection:
            row = connection.execute(query.order_by(rebuild.c.no).limit(1)).first()
        return None if row is None else Rebuild(*row)

    def partitions_due(self, projection: str) -> set[int]:
        """Return the partitions that have something to be folded anew."""
        query = select(rebuild.c.partition).where(_due(projection)).distinct()
        with self._reading(projection, "looking for rebuilds") as connection:
            return set(connection.execute(query).scalars())

    def refuse(self, lease: Lease, asked: Rebuild, reason: str) -> None:
        """Note why it was not done."""
        doing = f"refusing to rebuild job {asked.job_id!r}"
        with self._databases.of(lease.projection).write(doing) as connection:
            fence(connection, lease)
            settle(connection, asked, reason)

    def begin_version(self, lease: Lease, version: int) -> bool:
        """Return True when all documents of the partition are known to be of `version`.

        If not, they are known to be of none from now on, until `note_version`.
        """
        query = select(checkpoint.c.version).where(_here(lease))
        with self._reading(lease.projection, "looking for the version") as connection:
            noted = connection.execute(query).scalar()
        if noted == version:
            return True
        if noted is not None:
            self.note_version(lease, None)
        return False

    def note_version(self, lease: Lease, version: int | None) -> None:
        """Note that all documents of the partition are of a version, or asked to become so."""
        doing = f"noting the version of {lease.projection}"
        with self._databases.of(lease.projection).write(doing) as connection:
            fence(connection, lease)
            connection.execute(update(checkpoint).where(_here(lease)).values(version=version))

    def find_outdated(
        self, lease: Lease, version: int, after: int
    ) -> tuple[Sequence[str], int | None]:
        """Look at some jobs of the partition behind the number `after`.

        Returns:
            Those whose documents are of another version, and where to go on; None at the end.
        """
        query = read(job.c.no, job.c.job_id).where(
            job.c.projection == lease.projection,
            job.c.partition == lease.partition,
            job.c.no > after,
        )
        with self._reading(lease.projection, "looking for outdated jobs") as connection:
            rows = connection.execute(query.order_by(job.c.no).limit(_JOBS_A_LOOK)).all()
        texts = ((row.job_id, whole(row.document, row.body)) for row in rows)
        outdated = [job_id for job_id, document in texts if _version(document) != version]
        return outdated, rows[-1].no if len(rows) == _JOBS_A_LOOK else None

    def _named(self, name: str, projection: str, partition: int | None = None) -> dict[str, int]:
        """Return the jobs that are kept under a name, with their partitions; or those of one."""
        query = select(job.c.job_id, job.c.partition).where(job.c.projection == name)
        if partition is not None:
            query = query.where(job.c.partition == partition)
        with self._reading(projection, "listing jobs") as connection:
            return {row.job_id: row.partition for row in connection.execute(query)}

    def _reading(self, projection: str, doing: str) -> AbstractContextManager[Connection]:
        return self._databases.reading(projection, f"{doing} of {projection}")


def ask(
    connection: Connection,
    projection: str,
    jobs: Iterable[tuple[str, int]],
    *,
    is_rollback: bool = False,
) -> int:
    """Have jobs, given with their partitions, folded anew; return how many there were."""
    again = {
        "is_rollback": is_rollback,
        "times": rebuild.c.times + 1,
        "outcome": None,
        "difference": None,
    }
    key = [rebuild.c.projection, rebuild.c.job_id]
    count = 0
    for job_id, partition in jobs:
        row = insert_into(connection, rebuild).values(
            projection=projection,
            job_id=job_id,
            partition=partition,
            is_rollback=is_rollback,
            times=1,
        )
        connection.execute(row.on_conflict_do_update(index_elements=key, set_=again))
        count += 1
    return count


def old(projection: str) -> str:
    """Name the generation of a view that was live before."""
    return f"{projection}-old"


def settle(
    connection: Connection, asked: Rebuild, outcome: str, difference: str | None = None
) -> None:
    """Note what came of it; if it was asked for once more since, it stays to be done."""
    done = update(rebuild).where(rebuild.c.no == asked.no, rebuild.c.times == asked.times)
    connection.execute(done.values(outcome=outcome, difference=difference))


def _version(document: bytes) -> Any:
    """Return the version that a document is of; None for one that cannot be read."""
    try:
        return orjson.loads(document)["v"]
    except (ValueError, TypeError, LookupError):
        return None


def _due(projection: str) -> ColumnElement[bool]:
    return (rebuild.c.projection == projection) & rebuild.c.outcome.is_(None)


def _here(lease: Lease) -> ColumnElement[bool]:
    return (checkpoint.c.projection == lease.projection) & (
        checkpoint.c.partition == lease.partition
    )
