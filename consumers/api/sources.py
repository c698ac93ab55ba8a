"""What the routers read from: the views, the jobs' entries and the server's clock."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Self

from fastapi import Depends, Request

from consumers import views
from consumers.outages import Outages
from consumers.store.marks import StoredMarks
from consumers.store.store import Store
from consumers.views.archive.reader import StoredArchive
from consumers.views.history import History
from consumers.views.opening import open_databases
from consumers.views.reader import StoredViews
from synapse_stream.log.ingesting import IngestLog
from synapse_stream.log.server_clock import ServerClock
from synapse_stream.reading.job_reader import JobReader

if TYPE_CHECKING:
    from synapse_stream.entries.position import Position
    from synapse_stream.errors import LogUnavailable
    from synapse_stream.ports.views import RunState, ServedViews
    from synapse_stream.settings import Settings

_logger = logging.getLogger(__name__)


class Sources:
    """Opened at the start of the process; a database or server is connected when first needed.

    All share one pool of connections a database. May be used from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        """Raise ConfigError when a URL is wrong or what serves it is not installed."""
        self.settings = settings
        self._databases = databases = open_databases(settings)
        self.views: ServedViews = StoredViews(databases)
        self.store = Store(databases)
        self.archive = StoredArchive(databases)
        self.log = IngestLog.open(settings)
        self.reader = JobReader(self.log, lambda: self.archive)
        self.history = History(self.log, lambda: self.archive, StoredMarks(databases))
        self.outages = Outages(_logger, self.check)
        self.clock = ServerClock(self.log, tell=self._tell_of_clock)

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return those of the application that answers `request`."""
        sources: Self = request.app.state.sources
        return sources

    def state(self, job_id: str, at: Position | int | None) -> RunState | None:
        """Return a job's run state, now or as it was at a position or time in µs."""
        return self.views.state(job_id) if at is None else self.history.state(job_id, at)

    def check(self) -> None:
        """Ask store and server.

        Raises:
            StoreUnavailable, LogUnavailable, ConfigError: one is away, or not as it must be.
        """
        for projection in set(views.names()).difference(views.installed()):
            self.store.leases.checkpoints(projection)
        self.log.check(found=False)

    def close(self) -> None:
        """Disconnect."""
        self.log.close()
        self._databases.close()

    def _tell_of_clock(self, fault: LogUnavailable | None) -> None:
        if fault is not None:
            self.outages.tell(fault)


Opened = Annotated[Sources, Depends(Sources.of)]
