"""The server's clock, asked seldom, and when the server was away."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 10.0
_GAP_MS = 15_000
_GRACE_MS = 120_000


class Away(NamedTuple):
    """When the server did not answer, in milliseconds of its own clock."""

    since_ms: int
    """When it answered last."""
    until_ms: int | None
    """When it answered again; None: it is away."""


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
        self._heard_ms: int | None = None
        self._is_watched = False
        self._away: Away | None = None

    @property
    def is_away(self) -> bool:
        """Whether the server does not answer."""
        away = self._away
        return away is not None and away.until_ms is None

    @property
    def away(self) -> Away | None:
        """When the server was away last; None when it is back for two minutes, or never was."""
        away = self._away
        if away is None or away.until_ms is None or self.local_ms() < away.until_ms + _GRACE_MS:
            return away
        return None

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        is_due = time.monotonic() - self._asked_at >= _SECONDS
        if is_due and self._lock.acquire(blocking=False):
            try:
                self._ask()
            finally:
                self._asked_at = time.monotonic()
                self._lock.release()
        return self.local_ms()

    def judging_ms(self) -> int:
        """Return the time by which to judge how long nothing was heard of a run.

        It stands still while the server is away, when no run can be heard. For two minutes after
        that it is behind by as much, so that runs have the time to send what they could not.
        """
        now_ms, away = self.now_ms(), self.away
        if away is None:
            return now_ms
        return away.since_ms if away.until_ms is None else now_ms - (away.until_ms - away.since_ms)

    def heard(self) -> None:
        """Note that the server answers somebody who asks all the time.

        One who was not served for long was stopped together with the server, or by it.
        """
        now_ms, heard = self.local_ms(), self._heard_ms
        if self._is_watched and heard is not None and now_ms - heard > _GAP_MS:
            self._miss()
        self._is_watched = True
        self._hear(now_ms)

    def missed(self) -> None:
        """Note that the server does not answer somebody who asks all the time."""
        self._miss()

    def local_ms(self) -> int:
        """Return `now_ms` without asking anybody."""
        return int(time.time() * 1000 + self._offset_ms)

    def _hear(self, now_ms: int) -> None:
        self._heard_ms = now_ms
        away = self._away
        if away is not None and away.until_ms is None:
            self._away = Away(away.since_ms, now_ms)

    def _miss(self) -> None:
        if not self.is_away:
            heard = self._heard_ms
            self._away = Away(self.local_ms() if heard is None else heard, None)

    def _ask(self) -> None:
        fault = None
        try:
            before = time.time()
            now_ms = self._log.now_ms()
            self._offset_ms = now_ms - (before + time.time()) * 500
            self._hear(now_ms)
        except LogUnavailable as error:
            fault = error
            self._miss()
        self._tell(fault)
