"""The way to one server: one connection and one thread for all producers of a process.

Every producer that has something to send gets a batch on its way, one after the other. What is
wrong with the whole server makes all of them wait; what is wrong with one job's keys only its own.
"""

from __future__ import annotations

import threading
import time
from math import inf
from typing import TYPE_CHECKING, Protocol

from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.producer.shipping.line import Line
from synapse_stream.producer.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.producer.shipping.port import Log


class Member(Protocol):
    """A producer, as its lane sees it."""

    def due(self, now: float) -> float:
        """Return when there is something to do, on the monotonic clock."""

    def ship(self) -> None:
        """Send a batch.

        Raises:
            LogUnavailable, ConfigError: the server did not take it.
        """

    def fail(self, error: ConfigError | LogUnavailable, now: float) -> None:
        """Note that nothing can be sent at the moment."""


class Lane(Worker[Member]):
    """Ships for its members; where it has no thread, those do who wait in `pump`."""

    def __init__(self, open_log: Callable[[], Log]) -> None:
        super().__init__("synapse-stream-shipper")
        self.line = Line(open_log)
        self.given_up_until = 0.0
        """Until then nobody waits for the end of a run: another just did, in vain."""
        self._turn = threading.Lock()  # of who ships

    @property
    def is_open(self) -> bool:
        """True while the server takes what it is sent."""
        return self.line.is_open

    def work(self) -> None:
        """Give every member that has something to send a turn."""
        with self._turn:
            for member in self.members:
                if member.due(now := time.monotonic()) <= now:
                    self._ship(member)

    def due(self, now: float) -> float:
        """Return when the first of the members has something to do."""
        return min((member.due(now) for member in self.members), default=inf)

    def finish(self) -> None:
        """Close the connection."""
        if self._turn.acquire(blocking=False):
            try:
                if not self.members:
                    self.line.close()
            finally:
                self._turn.release()

    def pump(self, is_over: Callable[[], bool], deadline: float) -> None:
        """Ship in this thread while there is no other, until it `is_over` or the time is up."""
        while not self.has_thread and not is_over() and (now := time.monotonic()) < deadline:
            due = self.due(now)
            if due > now:
                time.sleep(min(due, deadline) - now)
            self.work()

    def _ship(self, member: Member) -> None:
        try:
            member.ship()
            self.given_up_until = 0.0
        except (LogUnavailable, ConfigError) as error:
            self._fail(member, error)
        except OSError as error:
            reason = f"the spool cannot be read: {error}"
            self._fail(member, LogUnavailable(reason, is_refusal=True))
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one producer a pause
            self.line.close()
            reason = f"{type(error).__name__}: {error}"
            self._fail(member, LogUnavailable(reason, is_refusal=True))

    def _fail(self, member: Member, error: ConfigError | LogUnavailable) -> None:
        is_cut = self.line.is_cut_by(error)
        if is_cut:
            self.line.close()
        now = time.monotonic()
        member.fail(error, now)
        if is_cut:
            of_all = LogUnavailable(error.reason) if isinstance(error, LogUnavailable) else error
            for each in self.members:
                if each is not member:
                    each.fail(of_all, now)
