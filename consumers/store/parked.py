"""Parked events: what could not be folded, why, and how often that was tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, bindparam, delete, exists, func, insert, select, update

from consumers.folding.checks import visible
from consumers.store.schema import parked
from consumers.store.sql import now_ms, slices
from synapse_stream.entries.position import Position

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection, Row

    from consumers.folding.port import Parked
    from consumers.store.databases import Databases
    from consumers.store.lease import Lease


class ParkedEvent(NamedTuple):
    """One event, or whole stream entry, that could not be folded."""

    projection: str
    no: int
    """What it is called in the commands; numbers are not used again."""
    partition: int
    job_id: str
    position: Position
    producer: str | None
    number: int | None
    """The producer's number of the event; both are None for an entry that is no batch."""
    reason: str
    """Of the last attempt."""
    raw: bytes
    attempts: int
    is_marked: bool
    """True when the projector shall try again."""
    parked_ms: int
    """When it was parked, by the database's clock."""


class Retried(NamedTuple):
    """What became of a parked event that was tried again."""

    no: int
    reason: str | None
    """Why it failed again; None when it was folded."""


# Made once, as in `leases`.
_given = {
    name: bindparam(f"given_{name}", type_=parked.c[name].type)
    for name in (
        *("projection", "partition", "job_id", "ms", "seq", "line"),
        *("producer", "number", "reason", "raw", "attempts"),
    )
}
_is_there = exists().where(
    *(parked.c[name] == _given[name] for name in ("job_id", "ms", "seq", "line", "projection")),
    parked.c.producer.is_not_distinct_from(_given["producer"]),
    parked.c.raw == _given["raw"],
)
_ADD = insert(parked).from_select(
    [*_given, "time"], select(*_given.values(), now_ms()).where(~_is_there)
)


def add(connection: Connection, lease: Lease, events: Sequence[Parked]) -> None:
    """Park events, in the transaction that moves the checkpoint past them.

    What is parked already is left as it is. A ledger tells which events of a producer are known,
    but an entry that is no batch has no number, and the checkpoint may have gone back.
    """
    if not events:
        return
    rows = [
        {
            "given_projection": lease.projection,
            "given_partition": lease.partition,
            "given_job_id": visible(event.job_id),
            "given_ms": event.position.ms,
            "given_seq": event.position.seq,
            "given_line": event.position.index,
            "given_producer": None if event.producer is None else visible(event.producer),
            "given_number": event.number,
            "given_reason": visible(event.reason),
            "given_raw": event.raw,
            "given_attempts": 1,
        }
        for event in events
    ]
    connection.execute(_ADD, rows)


def settle(connection: Connection, lease: Lease, retried: Sequence[Retried]) -> None:
    """Note the outcome of retries, in the transaction that writes what they gave."""
    mine = parked.c.projection == lease.projection
    folded = [outcome.no for outcome in retried if outcome.reason is None]
    if folded:
        connection.execute(delete(parked).where(mine, parked.c.no.in_(folded)))
    for no, reason in retried:
        if reason is not None:
            again = update(parked).where(mine, parked.c.no == no)
            connection.execute(
                again.values(reason=reason, attempts=parked.c.attempts + 1, is_marked=False)
            )


def count(
    connection: Connection, job_ids: Sequence[str], projections: Sequence[str]
) -> dict[str, int]:
    """Return how many events of jobs some projections have parked; jobs without are left out.

    Only those count that live views lack, not those of other generations.
    """
    counts: dict[str, int] = {}
    for some in slices(job_ids):
        of_jobs = select(parked.c.job_id, func.count()).where(
            parked.c.job_id.in_(some), parked.c.projection.in_(projections)
        )
        found = connection.execute(of_jobs.group_by(parked.c.job_id))
        counts.update((job_id, number) for job_id, number in found)
    return counts


def numbers_of(connection: Connection, projection: str, job_id: str) -> list[tuple[str, int]]:
    """Return producer and number of the events of a job that are parked."""
    left = select(parked.c.producer, parked.c.number).where(
        parked.c.projection == projection,
        parked.c.job_id == job_id,
        parked.c.number.is_not(None),
    )
    return [(producer, number) for producer, number in connection.execute(left)]


class ParkedEvents:
    """Events that could not be folded, of all projections. Each method is one transaction.

    Every method raises StoreUnavailable when the database did not take or answer a statement.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def list(
        self,
        projection: str,
        *,
        job_id: str | None = None,
        partition: int | None = None,
        only_marked: bool = False,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[ParkedEvent]:
        """Return parked events of a projection in the order in which they were parked.

        Args:
            projection: its name.
            job_id: only of this job.
            partition: only of this partition.
            only_marked: only those that shall be tried again.
            after: number of the last one of the page before.
            limit: most to return.
        """
        query = select(parked).where(parked.c.projection == projection, parked.c.no > after)
        if job_id is not None:
            query = query.where(parked.c.job_id == job_id)
        if partition is not None:
            query = query.where(parked.c.partition == partition)
        if only_marked:
            query = query.where(parked.c.is_marked)
        return self._events(projection, query.order_by(parked.c.no).limit(limit))

    def count(self, projection: str) -> int:
        """Return how many events of a projection are parked."""
        query = select(func.count()).where(parked.c.projection == projection)
        doing = f"counting parked events of {projection}"
        with self._databases.reading(projection, doing) as connection:
            return int(connection.execute(query).scalar_one())

    def find(self, projection: str, no: int) -> ParkedEvent | None:
        """Return one parked event, None if there is none of that number."""
        query = select(parked).where(parked.c.projection == projection, parked.c.no == no)
        return next(iter(self._events(projection, query)), None)

    def retry(self, projection: str, numbers: Collection[int]) -> int:
        """Have events tried again by the projector; return how many there were."""
        change = update(parked).values(is_marked=True)
        with self._databases.of(projection).write("marking parked events") as connection:
            return connection.execute(change.where(*_among(projection, numbers))).rowcount

    def drop(self, projection: str, numbers: Collection[int]) -> int:
        """Forget events for good; return how many there were."""
        gone = delete(parked).where(*_among(projection, numbers))
        with self._databases.of(projection).write("dropping parked events") as connection:
            return connection.execute(gone).rowcount

    def _events(self, projection: str, query: Select[Any]) -> Sequence[ParkedEvent]:
        with self._databases.reading(projection, "reading parked events") as connection:
            return [_event(row) for row in connection.execute(query)]


def _event(row: Row[Any]) -> ParkedEvent:
    return ParkedEvent(
        row.projection,
        row.no,
        row.partition,
        row.job_id,
        Position(row.ms, row.seq, row.line),
        row.producer,
        row.number,
        row.reason,
        bytes(row.raw),
        row.attempts,
        row.is_marked,
        row.time,
    )


def _among(projection: str, numbers: Collection[int]) -> tuple[Any, ...]:
    return parked.c.projection == projection, parked.c.no.in_(numbers)
