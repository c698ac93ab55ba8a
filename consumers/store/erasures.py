"""Which lines are to be erased, by whom and why, and how far that is.

They are kept with the record, whose projector erases them there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select, update

from consumers.store.schema import erasure, job
from consumers.store.sql import insert_into, now_ms
from synapse_stream.entries.erasing import ERASED
from synapse_stream.entries.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.store.databases import Databases
    from consumers.store.engine import Database
    from consumers.store.lease import Lease
    from synapse_stream.entries.entry import EntryId

_COLUMNS = (
    *(erasure.c.no, erasure.c.job_id, erasure.c.partition, erasure.c.ms, erasure.c.seq),
    *(erasure.c.line, erasure.c.reason, erasure.c.by, erasure.c.time, erasure.c.outcome),
)


class Asked(NamedTuple):
    """A line that is to be erased, or was."""

    no: int
    job_id: str
    partition: int
    position: Position
    reason: str
    by: str
    time_ms: int
    outcome: str | None
    """None until the archive has looked; `erased`, or why not."""


class Erasures:
    """Each method is one transaction, and raises StoreUnavailable when that cannot be had."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def ask(self, job_id: str, positions: Iterable[Position], *, reason: str, by: str) -> None:
        """Have lines erased by who archives the job; what was asked for before stays as it is."""
        partition = self._databases.partition(job_id)
        with self._database().write(f"asking to erase lines of job {job_id!r}") as connection:
            for ms, seq, line in positions:
                named = {"job_id": job_id, "partition": partition, "ms": ms, "seq": seq}
                said = {"line": line, "reason": reason, "by": by, "time": now_ms()}
                row = insert_into(connection, erasure).values(**named, **said)
                connection.execute(row.on_conflict_do_nothing())

    def asked(self, job_id: str) -> Sequence[Asked]:
        """Return what was asked of a job, in order."""
        query = select(*_COLUMNS).where(erasure.c.job_id == job_id).order_by(erasure.c.no)
        with self._database().read("listing erasures") as connection:
            return [_asked(row) for row in connection.execute(query)]

    def due(self, lease: Lease) -> Sequence[Asked]:
        """Return what is to be erased of the first job of a partition of which something is."""
        mine = (erasure.c.outcome.is_(None)) & (erasure.c.partition == lease.partition)
        first = select(erasure.c.job_id).where(mine).order_by(erasure.c.no).limit(1)
        query = select(*_COLUMNS).where(mine, erasure.c.job_id == first.scalar_subquery())
        with self._database().read("looking for erasures") as connection:
            return [_asked(row) for row in connection.execute(query.order_by(erasure.c.no))]

    def partitions_due(self) -> set[int]:
        """Return the partitions in which something is to be erased."""
        query = select(erasure.c.partition).where(erasure.c.outcome.is_(None)).distinct()
        with self._database().read("looking for erasures") as connection:
            return set(connection.execute(query).scalars())

    def streamed(self) -> Mapping[str, EntryId]:
        """Return the jobs whose streams may have lines that were erased, and up to which entry."""
        until = (func.max(erasure.c.until_ms), func.max(erasure.c.until_seq))
        query = select(erasure.c.job_id, *until).where(erasure.c.until_ms.is_not(None))
        with self._database().read("looking for erased lines") as connection:
            found = connection.execute(query.group_by(erasure.c.job_id))
            return {job_id: (ms, seq) for job_id, ms, seq in found}

    def left(self, job_id: str, until: EntryId) -> None:
        """Note that what was erased is gone from the entries of a stream up to `until`."""
        here = (erasure.c.job_id == job_id) & (erasure.c.until_ms <= until[0])
        with self._database().write("noting what left a stream") as connection:
            connection.execute(update(erasure).where(here).values(until_ms=None, until_seq=None))

    def _database(self) -> Database:
        return self._databases.of(self._databases.record)


def settle(connection: Connection, no: int, outcome: str, until: EntryId | None) -> None:
    """Note what came of one, and up to which entry the stream may still have the line."""
    ms, seq = until or (None, None)
    values = {"outcome": outcome, "until_ms": ms, "until_seq": seq}
    connection.execute(update(erasure).where(erasure.c.no == no).values(values))


def came_again(connection: Connection, job_no: int, until: EntryId) -> None:
    """Note that the stream of a job, given by its number, has got lines again that were erased."""
    job_id = select(job.c.job_id).where(job.c.no == job_no).scalar_subquery()
    mine = (erasure.c.job_id == job_id) & (erasure.c.outcome == ERASED)
    values = {"until_ms": until[0], "until_seq": until[1]}
    connection.execute(update(erasure).where(mine).values(values))


def _asked(row: tuple[object, ...]) -> Asked:
    no, job_id, partition, ms, seq, line, *rest = row
    return Asked(no, job_id, partition, Position(ms, seq, line), *rest)  # type: ignore[arg-type]
