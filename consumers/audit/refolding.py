"""Comparing the views of a job with fresh folds while its record is walked.

Folding metric histories takes as long as all other checks of a run together. Of a long run a second
process does it, which reads for itself.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Self

from consumers import views
from consumers.audit.archived import recorded
from consumers.audit.compare import Compared, ViewCheck
from consumers.folding.decoding import decode
from consumers.store.stored import StoredView
from consumers.views import RECORD
from consumers.views.archive.raw import RawArchive
from consumers.views.opening import open_store
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.log.event_log import open_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from consumers.folding.decoding import Content
    from consumers.views.port import View
    from synapse_stream.entries.entry import EntryId, RecordedBatch
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings

LONG_RUN = 100_000
"""Events from which on a second process is worth its start."""

_POINTERS, _MOST_PAGES = 1_000, 100
_PAGE = 50  # entries; one may hold some megabytes


class Sources:
    """What verifying reads: the store and the streams of a deployment."""

    def __init__(self, settings: Settings) -> None:
        """Open them; nothing is connected yet.

        Raises:
            ConfigError: a URL is wrong.
        """
        self.store = open_store(settings)
        self.archive = RawArchive(self.store.databases)
        self.log: EventLog = open_log(settings)

    def stream(self, job_id: str) -> Iterator[RecordedBatch]:
        """Yield what stands in a job's stream."""
        place = BEGINNING
        while page := self.log.read_after(job_id, place, limit=_PAGE):
            yield from page
            place = Position(page[-1].ms, page[-1].seq + 1)

    def is_unread(self, job_id: str, entry_id: EntryId) -> bool:
        """Tell whether the archive has not read an entry of a job's stream, as the feed has it."""
        partition = self.log.keys.partition(job_id)
        place = self.reached(RECORD, partition)
        for _ in range(_MOST_PAGES):
            pointers = self.log.read_feed(partition, place, limit=_POINTERS)
            if not pointers:
                return False
            if any((one.job_id, one.entry) == (job_id, entry_id) for one in pointers):
                return True
            place = pointers[-1].entry
        return True  # so far behind that nothing can be told

    def reached(self, name: str, partition: int) -> EntryId:
        """Return up to which entry of a feed a projection has read."""
        found = self.store.leases.checkpoints(name)
        return next((one.position for one in found if one.partition == partition), (0, 0))

    def check(self, job_id: str, views: Iterable[View]) -> ViewCheck:
        """Begin to compare views of a job with what is recorded from now on."""
        return ViewCheck(job_id, ((view, self._stored(view.name, job_id)) for view in views))

    def _stored(self, name: str, job_id: str) -> StoredView | str | None:
        """Return what is stored of a view, and up to where all must be in it."""
        asked = self.store.rebuilds.asked(name, job_id=job_id)
        reached = self.reached(name, self.log.keys.partition(job_id))
        stored = self.store.jobs.stored(name, job_id)
        is_due = any(one.outcome is None for one in asked)
        if isinstance(stored, StoredView) and not is_due:
            return stored._replace(reached=reached)
        return stored

    def release(self) -> None:
        """Leave no database open: SQLite must have none across a fork."""
        self.store.close()

    def close(self) -> None:
        """Disconnect."""
        self.store.close()
        self.log.close()


class Refolding:
    """Compares all views of a job with what it is given, and with what another process reads."""

    def __init__(self, settings: Settings, sources: Sources, job_id: str, events: int) -> None:
        """Read what is stored of the views.

        Args:
            settings: of the deployment.
            sources: of the same deployment.
            job_id: of the run.
            events: about how many it has.
        """
        self._settings = settings
        self._job_id = job_id
        self._pool: ProcessPoolExecutor | None = None
        self._beside: Future[Compared] | None = None
        if events >= LONG_RUN and _can_fork():
            sources.release()
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
            self._beside = self._pool.submit(_compare, settings, job_id)
        here = [view for view in _views() if self._beside is None or not view.is_costly]
        self._views = sources.check(job_id, here)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def take(self, entry: RecordedBatch, content: Content | None) -> None:
        """Fold the next entry of what is recorded."""
        self._views.take(entry, content)

    def compare(self) -> Compared:
        """Compare the views with what was folded.

        Raises:
            LogUnavailable: the server did not answer the other process.
            StoreUnavailable: nor did the store.
        """
        mine = self._views.compare()
        if self._beside is None:
            return mine
        try:
            other = self._beside.result()
        except BrokenProcessPool:  # killed, as for want of memory
            other = _compare(self._settings, self._job_id)
        return Compared(
            mine.views | other.views,
            mine.findings + other.findings,
            mine.notes + other.notes,
            mine.outdated + other.outdated,
        )


def content_of(entry: RecordedBatch) -> Content | None:
    """Return what the lines of an entry hold; None of one that is no batch."""
    return decode(entry.batch) if entry.batch else None


def _can_fork() -> bool:
    """Tell whether a copy of this process starts at once, and has a core for itself."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


def _compare(settings: Settings, job_id: str) -> Compared:
    """Compare the costly views of a job with what archive and stream have."""
    with closing(Sources(settings)) as sources:
        check = sources.check(job_id, [view for view in _views() if view.is_costly])
        archived = recorded(job_id, sources.archive.blocks(job_id))
        for entry in chain(archived, sources.stream(job_id)):
            check.take(entry, content_of(entry))
    return check.compare()


def _views() -> list[View]:
    """Return the views that can be folded anew."""
    return [views.find(name) for name in views.folded()]
