"""The automatic trimmer: whoever archives a partition trims its streams, too.

So each partition has one. Which they are is asked of the store before every round; one that was
taken over meanwhile is trimmed all the same, which harms nothing: a cut stays right for ever.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from consumers.errors import StoreUnavailable
from consumers.outages import Outage, agree
from consumers.projector.removing import Remover
from consumers.views import RECORD
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.operating.erasing import leave_streams
from synapse_stream.operating.retention import Trimmer

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from consumers.store.store import Store
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.settings import Settings

_logger = logging.getLogger("synapse_stream.consumers")

_ROUNDS_A_WINDOW = 20
_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 15.0
_REMOVE_SECONDS = 600.0
_WAIT_SECONDS = 5.0
_ENTRIES_A_ROUND = 100_000  # of one partition, so that the others have their turn


class TrimLoop:
    """Trims the partitions whose archive `owner` has the lease of; `run` returns at `stop`."""

    def __init__(
        self,
        store: Store,
        open_log: Callable[[], TrimLog],
        settings: Settings,
        *,
        owner: str,
        vouch: Callable[[int, str, int], bool] = lambda *_: True,
    ) -> None:
        """Trim what `store` has; `vouch` tells whether it is signed that a run is to be removed."""
        self._store = store
        self._open_log = open_log
        self._settings = settings
        self._owner = owner
        window = settings.hot_seconds + settings.rewind_seconds
        self._pause = min(
            _LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, window / _ROUNDS_A_WINDOW)
        )
        self._vouch = vouch
        self._log: TrimLog | None = None
        self._outage = Outage(_logger, "trimming waits", "trimming goes on")
        self._removing: Remover | None = None
        self._is_tight = False
        self._remove_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Trim now and then until `stop` is set; an outage only puts it off."""
        while not stop.wait(_SHORTEST_PAUSE_SECONDS if self._is_tight else self._pause):
            try:
                self._round(stop)
            except (LogUnavailable, StoreUnavailable, ConfigError) as error:
                self._disconnect()
                self._outage.tell(error)
            else:
                self._outage.end()
        self._disconnect()

    def _round(self, stop: threading.Event) -> None:
        if self._log is None:
            self._log = self._open_log()
            agree(self._log)
        archived = self._store.leases.checkpoints(RECORD)
        mine = [at.partition for at in archived if at.owner == self._owner]
        if not mine:
            return
        if time.monotonic() >= self._remove_at:
            is_done = self._remover(self._log).run(self._log.now_ms(), mine)
            pause = _REMOVE_SECONDS if is_done else _WAIT_SECONDS
            self._remove_at = time.monotonic() + pause
        trimmer = Trimmer(self._store, self._log, self._settings)
        cuts = trimmer.cuts(mine)
        self._is_tight = trimmer.is_tight
        for cut in cuts:
            if stop.is_set():
                return
            trimmer.trim(cut, most=_ENTRIES_A_ROUND)
        leave_streams(self._store, self._log)  # last: it takes room, which trimming gives

    def _remover(self, log: TrimLog) -> Remover:
        if self._removing is None:
            self._removing = Remover(self._store, log, self._settings, self._vouch)
        return self._removing

    def _disconnect(self) -> None:
        if self._removing is not None:
            self._removing.close()
            self._removing = None
        if self._log is not None:
            self._log.close()
            self._log = None
