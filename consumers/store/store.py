"""The store: what projectors write through, and what operators ask."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from consumers.store import leases, parked, writing
from consumers.store.damage import Damages
from consumers.store.erasures import Erasures
from consumers.store.generations import Generations
from consumers.store.lease import describe
from consumers.store.leases import Leases, fence
from consumers.store.memory import Memory
from consumers.store.parked import ParkedEvents
from consumers.store.rebuilds import Rebuilds
from consumers.store.stored import Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from consumers.folding.port import Parked
    from consumers.store.databases import Databases
    from consumers.store.jobs import JobWrite
    from consumers.store.lease import Lease
    from consumers.store.parked import Retried


class Store:
    """All that is kept of a deployment, whatever view it belongs to.

    What a method writes it writes in one transaction. Every method raises StoreUnavailable when the
    database did not take or answer a statement. Methods may be called from several threads, those
    with a lease by one at a time.
    """

    def __init__(self, databases: Databases) -> None:
        memory = Memory()
        self._memory = memory
        self.databases = databases
        self.leases = Leases(databases)
        self.jobs = Jobs(databases)
        self.parked = ParkedEvents(databases)
        self.rebuilds = Rebuilds(databases)
        self.damage = Damages(databases)
        self.erasures = Erasures(databases)
        self.generations = Generations(databases, memory)

    def commit(
        self,
        lease: Lease,
        position: tuple[int, int],
        writes: Sequence[JobWrite],
        parked_events: Sequence[Parked],
        seconds: float,
        *,
        retried: Sequence[Retried] = (),
    ) -> None:
        """Write views, documents and parked events, move the checkpoint and extend the lease.

        All of it or nothing. After StoreUnavailable it is unknown which: load the folds again.

        Args:
            lease: under which the events were read.
            position: id of the last feed entry that `writes` hold.
            writes: one a job.
            parked_events: what could not be folded.
            seconds: how long the lease is extended.
            retried: outcomes of parked events that were tried again.

        Raises:
            LeaseLost: another has taken over; nothing was written.
        """
        database = self.databases.of(lease.projection)
        save = writing.prepare(self.databases, self._memory, lease, writes)
        doing = f"committing {describe(lease)}"
        with self._memory.in_doubt(lease), database.write(doing) as connection:
            leases.advance(connection, lease, position, seconds)
            saved = save(connection, lease)
            self.databases.table(lease.projection).show(connection, saved)
            parked.add(connection, lease, parked_events)
            parked.settle(connection, lease, retried)

    @contextmanager
    def changing(self, lease: Lease, doing: str) -> Iterator[Connection]:
        """Open a transaction for what changes documents beside the commits.

        Raises:
            LeaseLost: another has taken over; nothing was changed.
        """
        database = self.databases.of(lease.projection)
        with self._memory.in_doubt(lease), database.write(doing) as connection:
            fence(connection, lease)
            yield connection
        self._memory.forget(lease)

    def compact(self, lease: Lease, *, most: int = 64, rested_seconds: float = 60.0) -> int:
        """Merge small pieces of what a view has stored, of jobs that have many or have rested.

        Returns:
            How many were looked at, `most` at a time; 0 when there is nothing to do now.

        Raises:
            LeaseLost: another has taken over; nothing was changed.
        """
        table = self.databases.table(lease.projection)
        if not table.is_in_pieces:
            return 0
        database = self.databases.of(lease.projection)
        with self._memory.in_doubt(lease):
            with database.read(f"compacting {describe(lease)}") as connection:
                book = self._memory.of(lease, lambda: table.open(connection, lease.partition))
            return table.compact(database, lease, book, most=most, rested_seconds=rested_seconds)

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self.databases.close()
