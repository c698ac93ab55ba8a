"""The server's clock, asked seldom."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 10.0


class Clock(Protocol):
    """What can be asked for the server's clock."""

    def now_ms(self) -> int:
        """Return it, in milliseconds since the epoch.

        Raises:
            LogUnavailable: the server did not answer.
        """

    def close(self) -> None:
        """Disconnect."""


class ServerClock:
    """The server's clock, kept as an offset to the local one; asked anew every 10 s.

    While the server is away the last offset serves, or none: what was read before can be shown
    without it. May be used from several threads.
    """

    def __init__(
        self,
        log: Clock,
        *,
        tell: Callable[[LogUnavailable | None], None] = lambda _: None,
    ) -> None:
        """Ask `log`, and `tell` of each time what came of it: None when it answered."""
        self._log = log
        self._tell = tell
        self._lock = Lock()
        self._offset_ms = 0.0
        self._asked_at = -_SECONDS
        self.is_away = False
        """Whether the server did not answer when it was asked last."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        is_due = time.monotonic() - self._asked_at >= _SECONDS
        if is_due and self._lock.acquire(blocking=False):
            try:
                self._ask()
            finally:
                self._asked_at = time.monotonic()
                self._lock.release()
        return int(time.time() * 1000 + self._offset_ms)

    def _ask(self) -> None:
        fault = None
        try:
            before = time.time()
            now_ms = self._log.now_ms()
            self._offset_ms = now_ms - (before + time.time()) * 500
        except LogUnavailable as error:
            fault = error
        self.is_away = fault is not None
        self._tell(fault)
