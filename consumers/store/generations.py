"""Two generations of a job's view: the live one, and one beside it that nobody reads.

Rows refer to jobs by number, so a generation is one row of `job` under a name of its own, and what
refers to it: `<projection>-new` while it is folded, `<projection>-old` after it was live. The two
change places by exchanging what refers to them; a job's number, and with it its place in lists,
stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from consumers.folding.differing import Difference
from consumers.store import damage, jobs, parked, rebuilds, writing
from consumers.store.documents import framed, whole
from consumers.store.leases import fence
from consumers.store.rebuilds import old
from consumers.store.schema import change, job, mark
from consumers.store.schema import parked as parked_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection

    from consumers.folding.port import Parked
    from consumers.store.databases import Databases
    from consumers.store.jobs import JobWrite
    from consumers.store.lease import Lease
    from consumers.store.memory import Memory
    from consumers.store.rebuilds import Rebuild
    from consumers.store.table import Table
    from synapse_stream.entries.position import Position


class Generations:
    """A generation beside the live one, filled, compared, then exchanged.

    What a method writes it writes in one transaction under the fence of the lease: LeaseLost when
    another has taken over, and nothing was written. Every method raises StoreUnavailable when the
    database did not take or answer a statement.
    """

    def __init__(self, databases: Databases, memory: Memory) -> None:
        self._databases = databases
        self._memory = memory

    def clear(self, lease: Lease, job_id: str) -> bool:
        """Delete some of what is left of other generations; True when all is gone."""
        database = self._databases.of(lease.projection)
        table = self._databases.table(lease.projection)
        with (
            self._memory.in_doubt(lease),
            database.write(f"clearing job {job_id!r}") as connection,
        ):
            fence(connection, lease)
            names = (_new(lease.projection), old(lease.projection))
            is_clear = all(_clear(connection, table, name, job_id) for name in names)
        self._memory.forget(lease)  # numbers of rows that are gone may come again
        return is_clear

    def previous(self, lease: Lease, job_id: str) -> bytes | None:
        """Return the document of the generation that was live before, None if there is none."""
        name = old(lease.projection)
        return self._databases.load(name, [job_id], home=lease.projection).get(job_id)

    def stage(
        self, lease: Lease, write: JobWrite, events: Sequence[Parked], *, is_rollback: bool
    ) -> None:
        """Add to the generation beside the live one; document and rows go together."""
        beside = lease._replace(projection=_staged(lease, is_rollback=is_rollback))
        save = writing.prepare(self._databases, self._memory, lease, [write])
        doing = f"folding job {write.job_id!r} of {lease.projection} anew"
        database = self._databases.of(lease.projection)
        with self._memory.in_doubt(lease), database.write(doing) as connection:
            fence(connection, lease)
            save(connection, beside)
            parked.add(connection, beside, events)

    def compare(
        self, lease: Lease, job_id: str, until: Position, *, is_rollback: bool
    ) -> Iterator[Difference | None]:
        """Yield the first difference of each part of the rows, None where there is none.

        What is live and cannot be read differs.
        """
        try:
            yield from self._compare(lease, job_id, until, is_rollback=is_rollback)
        except Exception as error:
            if damage.is_outage(error):
                raise
            yield Difference("a view", f"what cannot be read: {error!r}")

    def _compare(
        self, lease: Lease, job_id: str, until: Position, *, is_rollback: bool
    ) -> Iterator[Difference | None]:
        database = self._databases.of(lease.projection)
        names = (lease.projection, _staged(lease, is_rollback=is_rollback))
        with database.read(f"comparing job {job_id!r}") as connection:
            live, staged = (jobs.number(connection, name, job_id) for name in names)
        return self._databases.table(lease.projection).differences(database, live, staged, until)

    def publish(
        self, lease: Lease, write: JobWrite, asked: Rebuild, outcome: str, difference: str | None
    ) -> None:
        """Exchange the generations: readers see the one or the other."""
        database = self._databases.of(lease.projection)
        staged = _staged(lease, is_rollback=asked.is_rollback)
        table = self._databases.table(lease.projection)
        doing = f"exchanging job {write.job_id!r} of {lease.projection}"
        with self._memory.in_doubt(lease), database.write(doing) as connection:
            fence(connection, lease)
            number = _exchange(connection, table, lease, staged, write)
            table.show(connection, [(number, write)])
            rebuilds.settle(connection, asked, outcome, difference)
            damage.mended(connection, lease.projection, write.job_id)
        self._memory.forget(lease)


def _new(projection: str) -> str:
    """Name the generation that is being folded."""
    return f"{projection}-new"


def _staged(lease: Lease, *, is_rollback: bool) -> str:
    return old(lease.projection) if is_rollback else _new(lease.projection)


def _exchange(
    connection: Connection, table: Table, lease: Lease, staged: str, write: JobWrite
) -> int:
    """Make the generation `staged` the live one, with this document, and the live one the old one.

    A job that was not known has no old one. Returns the number of the live one.
    """
    job_id = write.job_id
    of_live = jobs.read(job.c.no).where(jobs.is_of(lease.projection, job_id))
    live = connection.execute(of_live).first()
    other = jobs.number(connection, staged, job_id)
    number = jobs.save(connection, lease, [write[:2]])[job_id]
    for of_job in (*(part.lots for part in table.parts), *table.beside, mark):
        _swap(connection, of_job, of_job.c.job_no, number, other, -number)
    here, name = parked_events.c.job_id == job_id, parked_events.c.projection
    _swap(connection, parked_events, name, lease.projection, staged, f"{staged}-swap", here)
    connection.execute(delete(change).where(change.c.job_no == other))
    if live is None:
        connection.execute(delete(job).where(job.c.no == other))
    else:
        before = {"projection": old(lease.projection), "document": framed(whole(*live[1:]))}
        connection.execute(update(job).where(job.c.no == other).values(before))
        moved = update(parked_events).where(here, name == staged)
        connection.execute(moved.values(projection=old(lease.projection)))
    return number


def _clear(connection: Connection, table: Table, name: str, job_id: str) -> bool:
    """Delete some of a generation; return True when nothing is left of it."""
    no = jobs.number(connection, name, job_id)
    if no is None:
        return True
    for lots, owner, order, most in table.parts:
        lot = connection.execute(select(lots.c.no).where(lots.c.job_no == no).limit(1)).scalar()
        if lot is not None:
            edge = select(order).where(owner == lot).order_by(order).offset(most).limit(1)
            last = connection.execute(edge).scalar()
            some = delete(owner.table).where(owner == lot)
            connection.execute(some if last is None else some.where(order <= last))
            if last is None:
                connection.execute(delete(lots).where(lots.c.no == lot))
            return False
    here = (parked_events.c.projection == name) & (parked_events.c.job_id == job_id)
    connection.execute(delete(parked_events).where(here))
    for of_job in (*table.beside, mark):
        connection.execute(delete(of_job).where(of_job.c.job_no == no))
    connection.execute(delete(change).where(change.c.job_no == no))
    connection.execute(delete(job).where(job.c.no == no))
    return True


def _swap(
    connection: Connection,
    table: Any,
    column: Any,
    one: Any,
    two: Any,
    between: Any,
    *where: ColumnElement[bool],
) -> None:
    for here, there in ((one, between), (two, one), (between, two)):
        connection.execute(update(table).where(column == here, *where).values({column: there}))
