"""What is stored of jobs and cannot be read: a finding on the job, which costs no other one.

It is noted once, and a view of the job is folded anew from what is recorded; what is recorded
itself is not to be made anew. A finding goes when the job was mended.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, exists, func, select

from consumers.errors import (
    CannotStore,
    LeaseLost,
    StoreDamaged,
    StoreUnavailable,
    Unreadable,
)
from consumers.folding.checks import visible
from consumers.store import rebuilds
from consumers.store.schema import damage, rebuild
from consumers.store.sql import insert_into, now_ms, slices
from synapse_stream.errors import ConfigError, LogUnavailable, Trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from consumers.store.databases import Databases
    from consumers.store.engine import Database

_logger = logging.getLogger("synapse_stream.consumers")

_LONGEST = 300
_OF_OTHERS = (LeaseLost, LogUnavailable, Trimmed, ConfigError)


class Damage(NamedTuple):
    """What cannot be read of one job of one projection."""

    projection: str
    job_id: str
    text: str
    found_ms: int
    """Since when that is known, by the store's clock."""
    outcome: str | None
    """Why the job was not folded anew; None while it is to be, or cannot be."""


class Damages:
    """The findings. Each method is one transaction of its own.

    Every method raises StoreUnavailable when the database did not take or answer a statement. They
    may be called from several threads.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def note(self, projection: str, job_id: str, text: str) -> bool:
        """Note that something of a job cannot be read; see `note`."""
        is_record = projection == self._databases.record
        partition = None if is_record else self._databases.partition(job_id)
        return note(self._databases.of(projection), projection, job_id, partition, text)

    def mend(self, projection: str, job_id: str) -> None:
        """Forget a finding, if there is one: all can be read again."""
        if self._is_known(projection, job_id):
            with self._databases.of(projection).write(f"mending job {job_id!r}") as connection:
                mended(connection, projection, job_id)

    def _is_known(self, projection: str, job_id: str) -> bool:
        with self._databases.reading(projection, "looking for damage") as connection:
            return is_known(connection, projection, job_id)

    def count(self, projection: str) -> int:
        """Return how many jobs of a projection cannot be read in part."""
        query = select(func.count()).where(damage.c.projection == projection)
        with self._databases.reading(projection, "counting damaged jobs") as connection:
            return int(connection.execute(query).scalar_one())

    def list(self, projection: str, *, limit: int = 100) -> Sequence[Damage]:
        """Return the findings of a projection, the oldest first."""
        is_asked = (rebuild.c.projection == damage.c.projection) & (
            rebuild.c.job_id == damage.c.job_id
        )
        query = (
            select(damage, rebuild.c.outcome)
            .outerjoin(rebuild, is_asked)
            .where(damage.c.projection == projection)
            .order_by(damage.c.time, damage.c.job_id)
        )
        with self._databases.reading(projection, "listing damaged jobs") as connection:
            return [Damage(*row) for row in connection.execute(query.limit(limit))]

    @contextmanager
    def found(self, projection: str, job_id: str) -> Iterator[None]:
        """Make of everything that goes wrong where a job is read a finding on that job.

        Raises:
            Unreadable: it cannot be read.
            StoreUnavailable: nothing can.
        """
        try:
            yield
        except _OF_OTHERS:
            raise
        except Exception as error:
            if is_outage(error):
                raise
            raise self.noted(projection, job_id, error) from error

    def noted(self, projection: str, job_id: str, error: Exception) -> Unreadable:
        """Note a finding as far as the store takes it; return what to raise."""
        text = f"{type(error).__name__}: {error}"
        try:
            self.note(projection, job_id, text)
        except StoreUnavailable:
            text += "; nor can it be noted"
        return Unreadable(projection, job_id, text)


def note(
    database: Database, projection: str, job_id: str, partition: int | None, text: str
) -> bool:
    """Note that something of a job cannot be read, and have its view folded anew.

    Args:
        database: of the projection.
        projection: its name.
        job_id: of the job.
        partition: of the job; None when nothing makes anew what is damaged.
        text: what cannot be read.

    Returns:
        False when it was known: then it is being mended, or cannot be.
    """
    with database.read(f"looking for damage of job {job_id!r}") as connection:
        if is_known(connection, projection, job_id):
            return False
    with database.write(f"noting damage of job {job_id!r}") as connection:
        new = {
            "projection": projection,
            "job_id": visible(job_id),
            "text": visible(text)[:_LONGEST],
            "time": now_ms(),
        }
        row = insert_into(connection, damage).values(new).on_conflict_do_nothing()
        if connection.execute(row).rowcount == 0:
            return False
        if partition is not None:
            rebuilds.ask(connection, projection, [(job_id, partition)])
    _logger.error("%s of job %r is damaged: %s", projection, job_id, text)
    return True


def is_known(connection: Connection, projection: str, job_id: str) -> bool:
    """Tell whether something of a job is known to be damaged."""
    here = (damage.c.projection == projection) & (damage.c.job_id == visible(job_id))
    return bool(connection.execute(select(exists().where(here))).scalar())


def mended(connection: Connection, projection: str, job_id: str) -> None:
    """Forget a finding, in the transaction that brings what can be read."""
    here = (damage.c.projection == projection) & (damage.c.job_id == visible(job_id))
    connection.execute(delete(damage).where(here))


def of_jobs(
    connection: Connection, job_ids: Sequence[str], projections: Sequence[str]
) -> dict[str, list[str]]:
    """Return by job the projections of which something cannot be read; the others are left out."""
    found: dict[str, list[str]] = {}
    for some in slices(job_ids):
        query = select(damage.c.job_id, damage.c.projection).where(
            damage.c.job_id.in_(some), damage.c.projection.in_(projections)
        )
        for job_id, projection in connection.execute(query):
            found.setdefault(job_id, []).append(projection)
    return found


def is_outage(error: Exception) -> bool:
    """Tell an error of a database or server that is away from one of what is stored."""
    if isinstance(error, (LogUnavailable, ConfigError)):
        return True
    return isinstance(error, StoreUnavailable) and not isinstance(
        error, (CannotStore, StoreDamaged)
    )
