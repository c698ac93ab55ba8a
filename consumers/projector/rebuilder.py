"""Fold jobs of a partition anew, beside the live views and in small steps between live work.

A job is folded from what is recorded, archive and stream, into a generation that nobody reads. When
it has what the live one has, the two are compared and exchanged in one transaction. What was live
before is kept until the job is rebuilt again: to roll back is to fold on from there.

A job whose document another version of the projection wrote is rebuilt by itself.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from consumers.errors import LeaseLost
from consumers.folding import differing
from consumers.store.damage import is_outage
from consumers.store.jobs import JobWrite
from consumers.store.schema import EVERY_JOB
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import LogUnavailable, SynapseStreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.folding.fold import JobFold
    from consumers.folding.port import Parked
    from consumers.store.lease import Lease
    from consumers.store.rebuilds import Rebuild
    from consumers.store.store import Store
    from consumers.views.port import View
    from synapse_stream.reading.job_reader import JobReader

_logger = logging.getLogger("synapse_stream.consumers")

_BYTES_A_STEP = 512 * 1024
_ENTRIES_A_STEP = 1_000
_SHOWN = 300


class Host(Protocol):
    """Who projects the partition."""

    def live_fold(self, job_id: str) -> Any:
        """Return the JobFold of a job as it is committed; None for none, or an outdated one."""

    def open_fold(self, job_id: str, document: bytes | None) -> Any:
        """Return the JobFold that goes on from a document, or begins a new job."""

    def replace_fold(self, fold: Any) -> None:
        """Go on with a fold that was made anew."""


class CannotRebuild(SynapseStreamError):
    """What is recorded of a job does not give a view that could replace the live one."""


class Rebuilder:
    """What is to be folded anew of one partition. Not thread-safe."""

    def __init__(self, view: View, store: Store, lease: Lease, host: Host) -> None:
        """Rebuild jobs of `host`, which projects the partition of `lease`."""
        self._host = host
        self._view = view
        self._store = store
        self._lease = lease
        self._asked: set[str] = set()
        self._is_swept = False
        self._work: Iterator[None] | None = None

    def forget(self) -> None:
        """Drop what is begun: it is begun anew."""
        self._work = None

    def ask(self, job_id: str) -> bool:
        """Have an outdated job folded anew; once, so that one that is refused is left alone.

        Returns:
            False when it was asked for before.
        """
        if job_id in self._asked:
            return False
        self._asked.add(job_id)
        jobs = [(job_id, self._lease.partition)]
        self._store.rebuilds.ask_jobs(self._lease.projection, jobs)
        return True

    def ask_recorded(self, *, only_unknown: bool) -> int:
        """Have all recorded jobs of the partition folded anew; return how many there are.

        With `only_unknown` it is those of which the view has nothing.
        """
        jobs = self._store.rebuilds.ask_recorded(self._lease, only_unknown=only_unknown)
        self._asked.update(jobs)
        return len(jobs)

    def has_asked(self, job_id: str) -> bool:
        """Tell whether a job was asked for, so that it begins when it is folded from its start."""
        return job_id in self._asked

    def work(self, reader: JobReader, seconds: float) -> bool:
        """Go on for about so long; return False when there is nothing to do.

        Args:
            reader: of what is recorded.
            seconds: how long.

        Raises:
            LeaseLost: another consumer has taken over.
            LogUnavailable, StoreUnavailable: `forget`, and try again later.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._work is None:
                self._work = self._begin(reader)
            if self._work is None:
                return False
            try:
                next(self._work)
            except StopIteration:
                self._work = None
        return True

    def _begin(self, reader: JobReader) -> Iterator[None] | None:
        if not self._is_swept:
            return self._sweep()
        asked = self._store.rebuilds.due(self._lease)
        if asked is not None and asked.job_id == EVERY_JOB:
            self._ask_for_all(asked)
            asked = self._store.rebuilds.due(self._lease)
        return None if asked is None else self._rebuild(asked, reader)

    def _ask_for_all(self, asked: Rebuild) -> None:
        """Ask for all jobs of a view that has lost tables."""
        count = self._store.rebuilds.ask(self._lease.projection)
        self._store.rebuilds.refuse(self._lease, asked, f"{count} jobs were asked for")

    def _sweep(self) -> Iterator[None]:
        """Ask for all jobs that are of another version, if there may be any."""
        version, store = self._view.version, self._store.rebuilds
        if not store.begin_version(self._lease, version):
            place: int | None = 0
            while place is not None:
                jobs, place = store.find_outdated(self._lease, version, place)
                for job_id in jobs:
                    self.ask(job_id)
                yield
            store.note_version(self._lease, version)
        self._is_swept = True

    def _rebuild(self, asked: Rebuild, reader: JobReader) -> Iterator[None]:
        job = _JobRebuild(self._host, self._store, self._lease, asked, reader)
        try:
            yield from job.steps()
        except (LeaseLost, LogUnavailable):
            raise
        except Exception as error:
            if is_outage(error):
                raise
            self._refuse(asked, error)
        else:
            self._host.replace_fold(job.fold)

    def _refuse(self, asked: Rebuild, error: Exception) -> None:
        said = error if isinstance(error, SynapseStreamError) else repr(error)
        _logger.warning("%s of job %r stays: %s", self._view.name, asked.job_id, said)
        self._store.rebuilds.refuse(self._lease, asked, f"not done: {said}"[:_SHOWN])


class _JobRebuild:
    """One job: what `steps` does between two yields is quick."""

    def __init__(
        self, host: Host, store: Store, lease: Lease, asked: Rebuild, reader: JobReader
    ) -> None:
        self.fold: JobFold = host.open_fold(asked.job_id, None)
        self._host = host
        self._store = store
        self._lease = lease
        self._asked = asked
        self._reader = reader
        self._place = BEGINNING
        self._first: tuple[int, int] = (0, 0)
        self._difference: differing.Difference | None = None

    def steps(self) -> Iterator[None]:
        """Fold, compare and exchange; `fold` is live then."""
        if self._asked.is_rollback:
            self._go_back()
        else:
            while not self._store.generations.clear(self._lease, self._asked.job_id):
                yield
        for _ in self._read():
            yield
        yield from self._compare()
        self._publish()

    def _live(self) -> JobFold | None:
        """Return what there is to be compared with: nothing of a job that was not known."""
        live: JobFold | None = self._host.live_fold(self._asked.job_id)
        return None if live is None or live.position is None else live

    def _go_back(self) -> None:
        document = self._store.generations.previous(self._lease, self._asked.job_id)
        if document is None:
            msg = f"nothing is kept of job {self._asked.job_id!r} from before"
            raise CannotRebuild(msg)
        self.fold = self._host.open_fold(self._asked.job_id, document)

    def _read(self, until: Position | None = None) -> Iterator[None]:
        """Fold on to the end of what is recorded, or to `until`."""
        parked: list[Parked] = []
        entries = size = 0
        for entry in self._reader.entries(self._asked.job_id, self._place, until=until):
            parked += self.fold.apply(entry)
            self._place = Position(entry.ms, entry.seq)
            self._first = self._first if self._first > (0, 0) else (entry.ms, entry.seq)
            entries += 1
            size += len(entry.batch.data) if entry.batch else 0
            if size >= _BYTES_A_STEP or entries >= _ENTRIES_A_STEP:
                self._stage(parked)
                parked, entries, size = [], 0, 0
                yield
        self._stage(parked)

    def _stage(self, parked: list[Parked]) -> None:
        is_rollback = self._asked.is_rollback
        self._store.generations.stage(self._lease, self._write(), parked, is_rollback=is_rollback)

    def _write(self) -> JobWrite:
        return JobWrite.of(self.fold, self._first)

    def _compare(self) -> Iterator[None]:
        """Compare the rows, if the live ones were made by the same rules."""
        live, until = self._live(), self.fold.position
        if live is None or live.position is None or until is None:
            return
        until = min(until, live.position)
        for difference in self._store.generations.compare(
            self._lease, self._asked.job_id, until, is_rollback=self._asked.is_rollback
        ):
            self._difference = self._difference or difference
            if self._difference:
                return
            yield

    def _publish(self) -> None:
        """Catch up with the live fold, which stands still meanwhile, and take its place.

        Raises:
            CannotRebuild: events of the live fold are no longer recorded.
        """
        live = self._live()
        if live is not None:
            self._catch_up(live)
        for _ in self._read() if live is None else ():
            pass
        outcome = "rolled back" if self._asked.is_rollback else "rebuilt"
        if live is None:
            outcome += ", there was none of this version before"
        elif self._difference is None:
            self._difference = _of_documents(live, self.fold)
        found = self._difference
        text = found and f"expected {found.expected}, found {found.found}"
        if found and self._reader.erasures(self._asked.job_id):
            text = "lines were erased"
        self._store.generations.publish(
            self._lease, self._write(), self._asked, outcome, text and text[:_SHOWN]
        )
        if text:
            whose = (self._lease.projection, self._asked.job_id)
            _logger.warning("%s of job %r was not as rebuilt: %s", *whose, text)

    def _catch_up(self, live: JobFold) -> None:
        for until in (live.position, None):
            for _ in self._read(until):
                pass
            if _missing(live, self.fold) is None:
                return
        msg = f"{_missing(live, self.fold)} of the live view is not recorded; it would be lost"
        raise CannotRebuild(msg)


def _missing(live: JobFold, fold: JobFold) -> str | None:
    """Name an event that only the live fold has."""
    for producer, last in live.lasts().items():
        if last > fold.last(producer):
            return f"event {last} of producer {producer}"
    return None


def _of_documents(live: JobFold, fold: JobFold) -> differing.Difference | None:
    """Return the first difference, if both have folded the same events."""
    if live.lasts() != fold.lasts():
        return None
    documents = (orjson.loads(one.document()) for one in (fold, live))
    return differing.first_difference(*documents)
