"""Telling of an outage: once when it begins, and once when it is over."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from consumers.errors import StoreUnavailable
from synapse_stream.errors import ConfigError, LogUnavailable, SynapseStreamError

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from synapse_stream.log.event_log import EventLog

_QUIET_SECONDS = 5.0


class Outage:
    """Whether something is away that is asked again and again. Not thread-safe."""

    def __init__(self, logger: Logger, begins: str, ends: str) -> None:
        """Tell `logger` by these words."""
        self._logger = logger
        self._begins = begins
        self._ends = ends
        self._kinds: set[type[Exception]] = set()

    def tell(self, error: Exception) -> None:
        """Note that it is away; say so if that is new, or something else is away, too."""
        if type(error) not in self._kinds:
            self._kinds.add(type(error))
            unforeseen = None if isinstance(error, SynapseStreamError) else error
            self._logger.warning("%s: %s", self._begins, error, exc_info=unforeseen)

    def end(self) -> None:
        """Note that it is there; say so if it was away."""
        if self._kinds:
            self._kinds.clear()
            self._logger.warning("%s", self._ends)


@dataclass(slots=True)
class _Met:
    reason: str
    begin: float
    last: float
    times: int = 1


class Outages:
    """What is away that many ask for, at any time and in any thread: told once for all of them.

    Who asked and got no answer says so by `tell`. One that asks for everything, by `look`, finds
    that it is over.
    """

    def __init__(self, logger: Logger, check: Callable[[], None]) -> None:
        """Tell `logger`; `check` raises a SynapseStreamError when something is away."""
        self._logger = logger
        self._check = check
        self._met: dict[str, _Met] = {}
        self._lock = Lock()

    def tell(self, error: Exception) -> None:
        """Note that something is away, or fails; say so if that is new."""
        what, now = _what(error), time.monotonic()
        with self._lock:
            met = self._met.get(what)
            if met is None:
                self._met[what] = _Met(_reason(error), now, now)
            else:
                met.last, met.times = now, met.times + 1
        if met is None:
            unforeseen = None if isinstance(error, SynapseStreamError) else error
            self._logger.warning("%s", error, exc_info=unforeseen)

    def look(self) -> None:
        """Say what is over: it is there again, and nobody has missed it for some seconds.

        Where nothing was away nothing is asked.
        """
        if not self._met:
            return
        try:
            self._check()
        except SynapseStreamError as error:
            self.tell(error)
            return
        quiet = time.monotonic() - _QUIET_SECONDS
        with self._lock:
            over = {what: met for what, met in self._met.items() if met.last < quiet}
            for what in over:
                del self._met[what]
        for met in over.values():
            said = "this is over, it was met %d times in %.0f s: %s"
            self._logger.warning(said, met.times, met.last - met.begin, met.reason)


def _what(error: Exception) -> str:
    """Return what is away: it may be missed in several ways, one after the other."""
    if isinstance(error, StoreUnavailable):
        return error.place or error.reason
    if isinstance(error, LogUnavailable) and not error.is_refusal:
        return "the server"
    return _reason(error)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__


def agree(log: EventLog) -> None:
    """Compare the deployment with how it was founded.

    Raises:
        LogUnavailable: the server did not answer, or they differ. Somebody may have written to what
            is there, and will mend it: so it is waited for.
    """
    try:
        log.check()
    except ConfigError as error:
        raise LogUnavailable(str(error)) from error
