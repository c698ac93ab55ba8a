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

from consumers.audit.archived import recorded
from consumers.audit.views import Compared, ViewCheck
from consumers.store.audited import AuditedStore
from consumers.store.databases import Databases
from consumers.views import PROJECTIONS
from consumers.views.metric_history.fold import MetricHistoryView
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.log.event_log import open_log

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from concurrent.futures import Future

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings

LONG_RUN = 100_000
"""Events from which on a second process is worth its start."""

_HEAVY = frozenset({MetricHistoryView.name})
_PAGE = 50  # entries; one may hold some megabytes


class Sources:
    """What verifying reads: the store and the streams of a deployment."""

    def __init__(self, settings: Settings) -> None:
        """Open them; nothing is connected yet.

        Raises:
            ConfigError: a URL is wrong.
        """
        self.store = AuditedStore(Databases(settings))
        self.log: EventLog = open_log(settings)

    def stream(self, job_id: str) -> Iterator[RecordedBatch]:
        """Yield what stands in a job's stream."""
        place = BEGINNING
        while page := self.log.read_after(job_id, place, limit=_PAGE):
            yield from page
            place = Position(page[-1].ms, page[-1].seq + 1)

    def views(self, job_id: str, names: Collection[str]) -> ViewCheck:
        """Begin to compare views of a job with what is recorded from now on."""
        return ViewCheck(job_id, {name: self.store.view(name, job_id) for name in names})

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
            sources.store.close()  # SQLite must have nothing open across a fork
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
            self._beside = self._pool.submit(_compare, settings, job_id)
        here = [name for name in PROJECTIONS if self._beside is None or name not in _HEAVY]
        self._views = sources.views(job_id, here)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def take(self, entry: RecordedBatch) -> None:
        """Fold the next entry of what is recorded."""
        self._views.take(entry)

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
            mine.views | other.views, mine.findings + other.findings, mine.notes + other.notes
        )


def _can_fork() -> bool:
    """Tell whether a copy of this process starts at once, and has a core for itself."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


def _compare(settings: Settings, job_id: str) -> Compared:
    """Compare the heavy views of a job with what archive and stream have."""
    with closing(Sources(settings)) as sources:
        views = sources.views(job_id, _HEAVY)
        archived = recorded(job_id, sources.store.blocks(job_id))
        for entry in chain(archived, sources.stream(job_id)):
            views.take(entry)
    return views.compare()
