"""What the routers read from: the views, the jobs' entries and the server's clock."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Self

from fastapi import Depends, Request

from consumers.outages import Outage
from consumers.store.databases import Databases
from consumers.store.store import Store
from consumers.views.archive.reader import StoredArchive
from consumers.views.history import History
from consumers.views.reader import StoredViews
from consumers.views.run_state.mark_table import StoredMarks
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.feeds import FeedLog
from synapse_stream.reading.job_reader import JobReader

if TYPE_CHECKING:
    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import RunState, Views
    from synapse_stream.settings import Settings

_CLOCK_SECONDS = 10.0
_logger = logging.getLogger(__name__)


class ServerClock:
    """The server's clock, kept as an offset to the local one; asked anew every 10 s.

    While the server is away the last offset serves, or the local clock if there is none: what is in
    the views can be read without the server.
    """

    def __init__(self, log: FeedLog) -> None:
        self._log = log
        self._lock = Lock()
        self._offset_ms = 0.0
        self._asked_at = -_CLOCK_SECONDS
        clock = "the server's clock"
        self._outage = Outage(_logger, f"{clock} cannot be read", f"{clock} is read again")

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        if time.monotonic() - self._asked_at >= _CLOCK_SECONDS and self._lock.acquire(
            blocking=False
        ):
            try:
                self._ask()
            finally:
                self._asked_at = time.monotonic()
                self._lock.release()
        return int(time.time() * 1000 + self._offset_ms)

    def _ask(self) -> None:
        try:
            before = time.time()
            now_ms = self._log.now_ms()
        except LogUnavailable as error:
            self._outage.tell(error)
        else:
            self._outage.end()
            self._offset_ms = now_ms - (before + time.time()) * 500


class Sources:
    """Opened at the start of the process; a database or server is connected when first needed.

    All share one pool of connections a database. May be used from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        """Raise ConfigError when a URL is wrong or what serves it is not installed."""
        self.settings = settings
        self._databases = databases = Databases(settings)
        self.views: Views = StoredViews(databases)
        self.store = Store(databases)
        self.archive = StoredArchive(databases)
        self.log = FeedLog.open(settings)
        self.reader = JobReader(self.log, lambda: self.archive)
        self.history = History(self.log, lambda: self.archive, StoredMarks(databases))
        self.clock = ServerClock(self.log)

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return those of the application that answers `request`."""
        sources: Self = request.app.state.sources
        return sources

    def state(self, job_id: str, at: Position | int | None) -> RunState | None:
        """Return a job's run state, now or as it was at a position or time in µs."""
        return self.views.state(job_id) if at is None else self.history.state(job_id, at)

    def close(self) -> None:
        """Disconnect."""
        self.log.close()
        self._databases.close()


Opened = Annotated[Sources, Depends(Sources.of)]
