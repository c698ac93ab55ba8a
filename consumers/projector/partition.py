"""One partition of one projection while this consumer holds its lease."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, cast

from consumers.errors import CannotStore, OutdatedFold, StoreUnavailable
from consumers.folding.port import Parked
from consumers.projector.filling import fill
from consumers.projector.portions import halves, read_portions
from consumers.projector.rebuilder import Rebuilder
from consumers.projector.retrying import retry
from consumers.store.jobs import JobWrite
from consumers.views.archive.erasing import erase_asked
from synapse_stream.entries.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumers.folding.port import Fold
    from consumers.projector.portions import Portion
    from consumers.store.lease import Lease
    from consumers.store.parked import ParkedEvent
    from consumers.store.store import Store
    from consumers.views.archive.fold import ArchiveFold
    from consumers.views.port import View
    from synapse_stream.entries.entry import EntryId, FeedPointer
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.reading.job_reader import JobReader
    from synapse_stream.settings import Settings

_logger = logging.getLogger("synapse_stream.consumers")

_FOLDS_KEPT = 2_048
_RETRIES_A_COMMIT = 100
_LONGEST_REASON = 500


class Held:
    """Reads behind `position`, folds and commits. Not thread-safe."""

    def __init__(
        self,
        view: View,
        store: Store,
        lease: Lease,
        settings: Settings,
    ) -> None:
        self.lease = lease
        self.position: EntryId = lease.position
        self._view = view
        self._store = store
        self._settings = settings
        self.open_fold = view.opener(store.databases)
        """Goes on from a document, or begins a new job; OutdatedFold: it is of another version."""
        self._committed: EntryId = lease.position
        self._mirrored: EntryId = (0, 0)
        self._folds: OrderedDict[str, Fold] = OrderedDict()
        self._rebuilder = Rebuilder(view, store, lease, self)

    def begin(self, log: FeedLog) -> None:
        """Set `position` to where reading must begin after this consumer or the server started.

        A feed that ends before the checkpoint lost its tail, and its clock went back too: it is
        read again from its beginning, and the checkpoint goes back with it: ids grow from there.
        Ledgers drop what is known, so this costs time, nothing else.

        Raises:
            Trimmed: something behind the checkpoint is no longer there, nor is it archived.
            StoreUnavailable: the store did not answer, or has no place for what the view declares.
        """
        database = self._store.databases.of(self._view.name)
        self._store.databases.table(self._view.name).prepare(database)
        self._committed = fill(
            self._view, self._store, self.lease, self._rebuilder, log, self._committed
        )
        log.check_readable(self._view.name, self.lease.partition, self._committed)
        if self.has_lost_feed(log):
            self.position = self._committed = (0, 0)
            return
        overlap_ms = int(self._settings.rewind_seconds * 1000)
        self.position = (max(0, self._committed[0] - overlap_ms), 0)

    def has_lost_feed(self, log: FeedLog) -> bool:
        """Tell whether the feed ends before the checkpoint: it was mended, or lost its tail."""
        return log.check_feed(self.lease.partition) < self._committed

    def has_missed(self, log: FeedLog) -> bool:
        """Tell whether the feed was trimmed behind what is committed; `begin` again then."""
        return log.trimmed(self.lease.partition) > self._committed

    def portions(self, log: FeedLog, pointers: Sequence[FeedPointer]) -> Iterator[Portion]:
        """Read what `pointers` point to; another thread may do so while this one commits.

        Raises:
            LogUnavailable: call `begin` and read again.
        """
        partition = self.lease.partition
        return read_portions(log, partition, self.position, pointers, self._view.take)

    def commit(self, portion: Portion) -> None:
        """Fold a portion and commit it in one transaction. They come in order, none left out.

        One that the store refuses for what is in it is split, down to the entry that it refuses:
        that one is parked.

        Raises:
            LeaseLost: another consumer has taken over; nothing was written.
            StoreUnavailable: call `begin` and read again.
        """
        try:
            self._commit(portion)
        except CannotStore as error:
            self.forget()
            if not portion.entries:
                raise
            if len(portion.entries) == 1:
                self._set_aside(portion, error)
                return
            for half in halves(portion, self.position):
                self.commit(half)
        except StoreUnavailable:
            self.forget()
            raise

    def retry(self) -> None:
        """Fold parked events that are marked for it, some of them at a time, and commit.

        Raises:
            LeaseLost: another consumer has taken over; nothing was written.
            StoreUnavailable: it is unknown whether it was; those still marked are tried again.
        """
        marked = self._store.parked.list(
            self._view.name,
            partition=self.lease.partition,
            only_marked=True,
            limit=_RETRIES_A_COMMIT,
        )
        if not marked:
            return
        try:
            self._commit_retries(marked)
        except StoreUnavailable:
            self.forget()
            raise

    def live_fold(self, job_id: str) -> Fold | None:
        """Return the fold of a job as it is committed; None for none, or an outdated one."""
        if job_id not in self._folds:
            self._load([job_id])
        return self._folds.get(job_id)

    def replace_fold(self, fold: Fold) -> None:
        """Have what was committed for a job go on with `fold`."""
        self._folds[fold.job_id] = fold

    def mirror(self, log: FeedLog) -> None:
        """Show the committed position to Redis tools, if it moved."""
        if self._committed != self._mirrored:
            log.mirror(self._view.name, self.lease.partition, self._committed)
            self._mirrored = self._committed

    def forget(self) -> None:
        """Drop folds that may hold more than was committed."""
        self._folds.clear()
        self._rebuilder.forget()

    def rebuild(self, reader: JobReader, seconds: float) -> bool:
        """Fold jobs anew that are asked for or outdated, for about so long; False when none is.

        Nothing makes the record anew; of that lines are erased, where it is asked for.

        Raises:
            LeaseLost: another consumer has taken over.
            LogUnavailable, StoreUnavailable: it is begun anew after `forget`.
        """
        if self._view.is_record:
            return self._erase()
        return self._rebuilder.work(reader, seconds)

    def _erase(self) -> bool:
        """Erase what is asked for of a job; False when nothing is."""
        asked = self._store.erasures.due(self.lease)
        if not asked:
            return False
        job_id = asked[0].job_id
        self._load([job_id])
        try:
            erase_asked(self._store, self.lease, asked, cast("ArchiveFold", self._folds[job_id]))
        except BaseException:
            self.forget()
            raise
        return True

    def compact(self) -> None:
        """Merge what is stored in small pieces; for when there is nothing else to do."""
        self._store.compact(self.lease)

    def _commit(self, portion: Portion) -> None:
        by_job: dict[str, list[Any]] = {}
        for job_id, batch in portion.entries:
            by_job.setdefault(job_id, []).append(batch)
        self._load(list(by_job))
        writes: list[JobWrite] = []
        parked = list(portion.faults)
        for job_id, mine in by_job.items():
            fold = self._folds.get(job_id)
            if fold is None:
                continue  # outdated: what rebuilds it reads all that is recorded
            try:
                parked += [event for batch in mine for event in fold.apply(batch)]
                if fold.has_changed:
                    writes.append(JobWrite.of(fold, (mine[0].ms, mine[0].seq)))
            except Exception as error:
                if self._view.is_record:  # what is not archived would be trimmed all the same
                    msg = f"job {job_id!r} cannot be archived"
                    raise StoreUnavailable(msg, repr(error)) from error
                self._rebuild_damaged(job_id, error)
        self._write(portion, writes, parked)

    def _set_aside(self, portion: Portion, error: CannotStore) -> None:
        """Park the only entry of a portion, with its numbers if the store takes them."""
        ((job_id, entry),) = portion.entries
        reason = f"{error.reason} what it holds: {error.detail}"[:_LONGEST_REASON]
        self._load([job_id])
        fold = self._folds.get(job_id)
        if fold is None:
            self._write(portion, [], portion.faults)
            return
        events = [event._replace(reason=reason) for event in fold.apply(entry, refused=reason)]
        place = (entry.ms, entry.seq)
        writes = [JobWrite.of(fold, place)] if fold.has_changed else []
        try:
            self._write(portion, writes, [*portion.faults, *events])
        except CannotStore:
            self.forget()
            whole = Parked(job_id, Position(*place, 0), reason, b"", None, None)
            self._write(portion, [], [*portion.faults, whole])

    def _write(
        self, portion: Portion, writes: Sequence[JobWrite], parked: Sequence[Parked]
    ) -> None:
        committed = max(portion.upto, self._committed)
        if writes or parked or committed != self._committed:
            seconds = self._settings.lease_seconds
            self._store.commit(self.lease, committed, writes, parked, seconds)
        self._committed = committed
        self.position = portion.upto
        while len(self._folds) > _FOLDS_KEPT:
            self._folds.popitem(last=False)

    def _commit_retries(self, marked: Sequence[ParkedEvent]) -> None:
        self._load(list(dict.fromkeys(event.job_id for event in marked)))
        done = retry(self._folds, marked)
        seconds = self._settings.lease_seconds
        self._store.commit(
            self.lease, self._committed, done.writes, [], seconds, retried=done.outcomes
        )

    def _load(self, job_ids: list[str]) -> None:
        """Open the folds of jobs; those that are outdated are left out, and asked to be rebuilt."""
        missing = [job_id for job_id in job_ids if job_id not in self._folds]
        documents = self._store.jobs.load(self._view.name, missing) if missing else {}
        for job_id in missing:
            if job_id in documents or not self._rebuilder.has_asked(job_id):
                self._keep(job_id, documents.get(job_id))  # else it would begin in its midst
        for job_id in job_ids:
            if job_id in self._folds:
                self._folds.move_to_end(job_id)

    def _keep(self, job_id: str, document: bytes | None) -> None:
        try:
            self._folds[job_id] = self.open_fold(job_id, document)
        except OutdatedFold:
            self._rebuilder.ask(job_id)
        except StoreUnavailable:
            raise
        except Exception as error:
            if self._view.is_record:
                msg = f"what is archived of job {job_id!r} cannot be gone on from"
                raise StoreUnavailable(msg, repr(error)) from error
            self._rebuild_damaged(job_id, error)

    def _rebuild_damaged(self, job_id: str, error: Exception) -> None:
        """Have a job folded anew whose stored document cannot be gone on from."""
        self._folds.pop(job_id, None)
        self._store.damage.noted(self._view.name, job_id, error)
