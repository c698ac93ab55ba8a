"""The store: what projectors write through, and what operators ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from consumers.store import checkpoints, folds, health, parked
from consumers.store.databases import Databases
from consumers.store.memory import Memory
from consumers.store.rebuilding import RebuildingStore
from consumers.views import canonical
from consumers.views.archive import removal
from consumers.views.archive import table as archive
from consumers.views.archive.reader import StoredArchive
from consumers.views.message_feed import table as messages
from consumers.views.metric_history import compaction
from consumers.views.metric_history import query as histories
from consumers.views.metric_history import table as metrics
from consumers.views.metric_history.series import SeriesBook
from consumers.views.run_state import table as runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.folding.fold import Parked
    from consumers.store.checkpoints import Checkpoint, Lease
    from consumers.store.parked import ParkedEvent, Retried
    from consumers.store.rebuilds import Rebuild
    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.settings import Settings


class JobWrite(NamedTuple):
    """What a commit writes of one job."""

    job_id: str
    document: bytes
    """As `JobFold.document` returns it."""
    rows: Any
    """As `JobFold.rows` returns them."""
    entry: tuple[int, int]
    """Id of the job's first stream entry in this commit. What the first commit of a job says here
    stays: jobs are listed by their age."""


class Store:
    """Checkpoints and leases, views, job documents and parked events of a deployment.

    What a method writes it writes in one transaction. Every method raises StoreUnavailable when the
    database did not take or answer a statement. Methods may be called from several threads, those
    with a lease by one at a time.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._memory = Memory()
        self.archive = StoredArchive(databases)
        """The archive; it is closed with the store."""
        self.rebuilding = RebuildingStore(databases, self._memory, self._view_writer)
        """What rebuilding asks."""

    def acquire(self, projection: str, partition: int, owner: str, seconds: float) -> Lease | None:
        """Take the lease if it is free, lapsed or `owner`'s own; None when another holds it.

        `owner` must be a name that no other process ever has. An acquired lease has a new epoch:
        whoever held it before can write nothing any more.
        """
        database = self._databases.of(projection)
        return checkpoints.acquire(database, projection, partition, owner, seconds)

    def renew(self, lease: Lease, seconds: float) -> bool:
        """Extend the lease; False when another has taken over."""
        return checkpoints.renew(self._databases.of(lease.projection), lease, seconds)

    def release(self, lease: Lease) -> None:
        """Give the lease back at once; nothing happens when another has taken over."""
        checkpoints.release(self._databases.of(lease.projection), lease)

    def join(self, projection: str, name: str, seconds: float) -> list[str]:
        """Count `name` among the members for so long; return all that are alive, in order."""
        return checkpoints.join(self._databases.of(projection), projection, name, seconds)

    def leave(self, projection: str, name: str) -> None:
        """Count `name` among the members no more."""
        checkpoints.leave(self._databases.of(projection), projection, name)

    def checkpoints(self, projection: str) -> list[Checkpoint]:
        """Return where the partitions of a projection stand, by number; of none if it never ran."""
        if not self._databases.is_founded(projection):
            return []
        return checkpoints.checkpoints(self._databases.of(projection), projection)

    def durable_positions(
        self, projections: Sequence[str]
    ) -> dict[str, dict[int, tuple[int, int]]]:
        """Return the checkpoints by projection and partition, after they outlive a power cut.

        What was committed before they were is as safe. A projection that never ran has none.
        """
        founded = [name for name in projections if self._databases.is_founded(name)]
        found: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in projections}
        for name in founded:
            found[name] = {c.partition: c.position for c in self.checkpoints(name)}
        for database in self._databases.all_of(founded):
            database.make_durable()
        return found

    def count_shed(self) -> int:
        """Return how many events producers have given up, of all jobs."""
        with self._databases.of(runs.PROJECTION).read("counting what was shed") as connection:
            return runs.count_shed(connection)

    def load_folds(self, projection: str, job_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the documents of those jobs that have one."""
        return folds.load(self._databases.of(projection), projection, job_ids)

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
        database = self._databases.of(lease.projection)
        view, bases = self._view_writer(lease, writes), self._memory.bases(lease)
        doing = f"committing {checkpoints.describe(lease)}"
        with self._memory.in_doubt(lease), database.write(doing) as connection:
            checkpoints.advance(connection, lease, position, seconds)
            view(connection, folds.save(connection, lease, [write[:2] for write in writes], bases))
            parked.add(connection, lease, parked_events)
            parked.settle(connection, lease, retried)

    def compact(self, lease: Lease, *, most: int = 64, rested_seconds: float = 60.0) -> int:
        """Merge small pieces of series, or of archived jobs, that have many or have rested so long.

        Returns:
            How many were looked at, `most` at a time; 0 when there is nothing to do now.

        Raises:
            LeaseLost: another has taken over; nothing was changed.
        """
        part: Any = {metrics.PROJECTION: compaction, archive.PROJECTION: archive}
        if lease.projection not in part:
            return 0
        database = self._databases.of(lease.projection)
        with self._memory.in_doubt(lease):
            with database.read(f"compacting {checkpoints.describe(lease)}") as connection:
                book = self._book(connection, lease)
            merge = part[lease.projection].compact
            found: int = merge(database, book, lease, most=most, rested_seconds=rested_seconds)
            return found

    def dump_view(self, projection: str, job_id: str, *, positions: bool = True) -> bytes:
        """Return a job's view in canonical form: to be compared with that of a fresh fold.

        A job that is not known has the view of one without events. `positions=False` leaves out
        what depends on the ids of stream entries.
        """
        if projection == archive.PROJECTION:
            return self.archive.dump(job_id)
        database = self._databases.of(projection)
        if projection == runs.PROJECTION:
            document = folds.load(database, projection, [job_id]).get(job_id, b"null")
            return canonical.of_document(document, positions=positions)
        with database.read(f"dumping job {job_id!r} of {projection}") as connection:
            if projection == metrics.PROJECTION:
                points = histories.read_all(connection, job_id)
                return canonical.of_points(points, positions=positions)
            return canonical.of_messages(messages.read_all(connection, job_id), positions=positions)

    def has_archived(self, job_id: str, entry: RawEntry) -> bool:
        """Tell whether this very entry is in the archive."""
        return self.archive.has(job_id, entry)

    def remove_archived(self, partitions: Collection[int], **limits: Any) -> int:
        """Remove runs from the archive; see `removal.remove`. Returns how many."""
        return removal.remove(self._databases.of(archive.PROJECTION), partitions, **limits)

    def list_parked(
        self,
        projection: str,
        *,
        job_id: str | None = None,
        partition: int | None = None,
        only_marked: bool = False,
        after: int = 0,
        limit: int = 100,
    ) -> list[ParkedEvent]:
        """Return parked events of a projection, by number; `after` is the last one seen."""
        return parked.list_parked(
            self._databases.of(projection),
            projection,
            job_id=job_id,
            partition=partition,
            only_marked=only_marked,
            after=after,
            limit=limit,
        )

    def count_parked(self, projection: str) -> int:
        """Return how many events of a projection are parked."""
        return parked.count_all(self._databases.of(projection), projection)

    def find_parked(self, projection: str, no: int) -> ParkedEvent | None:
        """Return one parked event, None if there is none of that number."""
        return parked.find(self._databases.of(projection), projection, no)

    def retry_parked(self, projection: str, numbers: Collection[int]) -> int:
        """Have events tried again by the projector; return how many there were."""
        return parked.mark(self._databases.of(projection), projection, numbers)

    def drop_parked(self, projection: str, numbers: Collection[int]) -> int:
        """Forget events for good; return how many there were."""
        return parked.drop(self._databases.of(projection), projection, numbers)

    def ask_rebuild(
        self, projection: str, job_id: str | None = None, *, is_rollback: bool = False
    ) -> int:
        """Have a job, or all, folded anew by the projector; return how many there were."""
        if job_id is None:
            return self.rebuilding.ask_all(projection, is_rollback=is_rollback)
        jobs = [(job_id, self._databases.partition(job_id))]
        return self.rebuilding.ask(projection, jobs, is_rollback=is_rollback)

    def skip_trimmed(self, projection: str, trimmed: Mapping[int, tuple[int, int]]) -> None:
        """Have a projection read on behind what was trimmed, after its jobs were asked for anew."""
        checkpoints.skip(self._databases.of(projection), projection, trimmed)

    def rebuilds(
        self, projection: str, *, job_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[Rebuild]:
        """Return what was asked to be folded anew; `after` is the number of the last one seen."""
        return self.rebuilding.asked(projection, job_id=job_id, after=after, limit=limit)

    def count_rebuilds_due(self, projection: str) -> int:
        """Return how many jobs are still to be folded anew."""
        return self.rebuilding.count_due(projection)

    def examine(self, projection: str) -> health.Fault | None:
        """Read the database of a projection through; return what is wrong with it."""
        return health.examine(self._databases, projection)

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self._databases.close()

    def _view_writer(
        self, lease: Lease, writes: Sequence[JobWrite]
    ) -> Callable[[Connection, Mapping[str, int]], None]:
        """Prepare what needs no lock; return what writes the view, given the jobs' numbers."""
        rows = [(write.job_id, write.rows) for write in writes if write.rows]
        if lease.projection == metrics.PROJECTION:
            rows = metrics.encode(rows)
        elif lease.projection == archive.PROJECTION:
            rows = [(job_id, archive.encode(new)) for job_id, new in rows]

        def write_view(connection: Connection, numbers: Mapping[str, int]) -> None:
            of_jobs = {numbers[job_id]: mine for job_id, mine in rows}
            if lease.projection == metrics.PROJECTION:
                metrics.write(connection, self._book(connection, lease), of_jobs)
            elif lease.projection == archive.PROJECTION:
                loose = self._book(connection, lease)
                archive.write(connection, loose, lease.partition, of_jobs)
            elif lease.projection == messages.PROJECTION:
                lanes = self._memory.of(lease, messages.new_directory)
                messages.write(connection, lanes, of_jobs)
            elif lease.projection == runs.PROJECTION:
                runs.write(connection, [(numbers[write.job_id], write) for write in writes])

        return write_view

    def _book(self, connection: Connection, lease: Lease) -> Any:
        kind = SeriesBook if lease.projection == metrics.PROJECTION else archive.LooseJobs
        return self._memory.of(lease, lambda: kind(connection, lease.partition))


def open_store(settings: Settings) -> Store:
    """Return the store of a deployment; ConfigError if its URL is wrong or a driver is missing."""
    return Store(Databases(settings))
