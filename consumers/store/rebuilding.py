"""What rebuilding asks of the store: a generation beside the live one, filled, then exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.store import checkpoints, comparing, folds, generations, parked, rebuilds
from consumers.views.archive import table as archive
from consumers.views.run_state import mark_table as marks
from consumers.views.run_state import table as runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.folding.differing import Difference
    from consumers.folding.fold import Parked
    from consumers.store.checkpoints import Lease
    from consumers.store.databases import Databases
    from consumers.store.memory import Memory
    from consumers.store.rebuilds import Rebuild
    from consumers.store.store import JobWrite
    from synapse_stream.entries.position import Position

    ViewWriter = Callable[
        [Lease, Sequence[JobWrite]], Callable[[Connection, Mapping[str, int]], None]
    ]


class RebuildingStore:
    """Generations of jobs' views.

    What a method writes it writes in one transaction under the fence of the lease: LeaseLost when
    another has taken over, and nothing was written. Every method raises StoreUnavailable when the
    database did not take or answer a statement.
    """

    def __init__(self, databases: Databases, memory: Memory, view_writer: ViewWriter) -> None:
        self._databases = databases
        self._memory = memory
        self._view_writer = view_writer

    def ask_all(self, projection: str, *, is_rollback: bool = False) -> int:
        """Have all jobs that the projection or the archive knows folded anew; return how many.

        With `is_rollback` those of which is kept what was live before.
        """
        database = self._databases.of(projection)
        name = generations.old(projection) if is_rollback else projection
        jobs = rebuilds.jobs_of(database, name)
        if not is_rollback and self._databases.is_founded(archive.PROJECTION):
            jobs |= rebuilds.jobs_of(self._databases.of(archive.PROJECTION), archive.PROJECTION)
        return self.ask(projection, sorted(jobs.items()), is_rollback=is_rollback)

    def ask(
        self, projection: str, jobs: Sequence[tuple[str, int]], *, is_rollback: bool = False
    ) -> int:
        """Have jobs, given with their partitions, folded anew by who projects them."""
        database = self._databases.of(projection)
        return rebuilds.ask(database, projection, jobs, is_rollback=is_rollback)

    def asked(
        self, projection: str, *, job_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[Rebuild]:
        """Return what was asked for, and its outcome; `after` is the number of the last one seen.

        What was asked for again stands where it was.
        """
        database = self._databases.of(projection)
        return rebuilds.list_rebuilds(database, projection, job_id, after, limit)

    def count_due(self, projection: str) -> int:
        """Return how many jobs are still to be folded anew."""
        return rebuilds.count_due(self._databases.of(projection), projection)

    def due(self, lease: Lease) -> Rebuild | None:
        """Return what is to be done next."""
        database = self._databases.of(lease.projection)
        return rebuilds.due(database, lease.projection, lease.partition)

    def partitions_due(self, projection: str) -> set[int]:
        """Return the partitions in which something is to be done."""
        return rebuilds.partitions_due(self._databases.of(projection), projection)

    def begin_version(self, lease: Lease, version: int) -> bool:
        """Return True when all documents of the partition are known to be of `version`."""
        return rebuilds.begin_version(self._databases.of(lease.projection), lease, version)

    def note_version(self, lease: Lease, version: int) -> None:
        """Note that all documents of the partition are of `version`, or asked to become so."""
        rebuilds.note_version(self._databases.of(lease.projection), lease, version)

    def find_outdated(
        self, lease: Lease, version: int, after: int
    ) -> tuple[Sequence[str], int | None]:
        """Return outdated ones among some jobs, and where to go on; None at the end."""
        database = self._databases.of(lease.projection)
        return rebuilds.find_outdated(database, lease, version, after)

    def clear(self, lease: Lease, job_id: str) -> bool:
        """Delete some of what is left of other generations; True when all is gone."""
        database = self._databases.of(lease.projection)
        names = (generations.new(lease.projection), generations.old(lease.projection))
        with (
            self._memory.in_doubt(lease),
            database.write(f"clearing job {job_id!r}") as connection,
        ):
            checkpoints.fence(connection, lease)
            is_clear = all(generations.clear(connection, name, job_id) for name in names)
        self._memory.forget(lease)  # numbers of rows that are gone may come again
        return is_clear

    def previous(self, lease: Lease, job_id: str) -> bytes | None:
        """Return the document of the generation that was live before, None if there is none."""
        name = generations.old(lease.projection)
        return folds.load(self._databases.of(lease.projection), name, [job_id]).get(job_id)

    def stage(
        self, lease: Lease, write: JobWrite, events: Sequence[Parked], *, is_rollback: bool
    ) -> None:
        """Add to the generation beside the live one; document and rows go together."""
        database = self._databases.of(lease.projection)
        beside = lease._replace(projection=_staged(lease, is_rollback=is_rollback))
        view, bases = self._view_writer(lease, [write]), self._memory.bases(lease)
        doing = f"folding job {write.job_id!r} of {lease.projection} anew"
        with self._memory.in_doubt(lease), database.write(doing) as connection:
            checkpoints.fence(connection, lease)
            numbers = folds.save(connection, beside, [write[:2]], bases)
            if lease.projection == runs.PROJECTION:  # it is listed when it is live
                marks.write(connection, [(numbers[write.job_id], write.rows)])
            else:
                view(connection, numbers)
            parked.add(connection, beside, events)

    def compare(
        self, lease: Lease, job_id: str, until: Position, *, is_rollback: bool
    ) -> Iterator[Difference | None]:
        """Yield the first difference of each part of the rows, None where there is none."""
        database = self._databases.of(lease.projection)
        staged = _staged(lease, is_rollback=is_rollback)
        return comparing.compare(database, lease.projection, staged, job_id, until)

    def publish(
        self, lease: Lease, write: JobWrite, asked: Rebuild, outcome: str, difference: str | None
    ) -> None:
        """Exchange the generations: readers see the one or the other."""
        database = self._databases.of(lease.projection)
        staged = _staged(lease, is_rollback=asked.is_rollback)
        doing = f"exchanging job {write.job_id!r} of {lease.projection}"
        with self._memory.in_doubt(lease), database.write(doing) as connection:
            checkpoints.fence(connection, lease)
            number = generations.exchange(connection, lease, staged, write.job_id, write.document)
            if lease.projection == runs.PROJECTION:
                runs.write(connection, [(number, write)])
            rebuilds.settle(connection, asked, outcome, difference)
        self._memory.forget(lease)

    def refuse(self, lease: Lease, asked: Rebuild, reason: str) -> None:
        """Note why it was not done."""
        database = self._databases.of(lease.projection)
        with database.write(f"refusing to rebuild job {asked.job_id!r}") as connection:
            checkpoints.fence(connection, lease)
            rebuilds.settle(connection, asked, reason)


def _staged(lease: Lease, *, is_rollback: bool) -> str:
    name = generations.old if is_rollback else generations.new
    return name(lease.projection)
