"""The end of a logger: recorded once, by whom it is for, and when it is known how it ends."""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from synapse_stream.errors import RunEnded
from synapse_stream.events import rules
from synapse_stream.loggers.endings import ending
from synapse_stream.models import RunStatus
from synapse_stream.system.signals import is_plugins_own

if TYPE_CHECKING:
    from synapse_stream.loggers.endings import Ending


class EndsOnce(ABC):
    """What a logger does at its end, and what decides how that is."""

    def __init__(self) -> None:
        self._ended = False
        self._is_over = False  # also while the end waits for its block
        self._blocks = 0
        self._waiting_end: dict[str, Any] | None = None
        self._signal: str | None = None
        self._error_before = sys.exc_info()[1]
        self._end_lock = threading.RLock()

    @abstractmethod
    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Take one event: its type, its step and its fields, checked and complete."""

    @abstractmethod
    def report(
        self, kind: str, step: str | None, fields: dict[str, Any], *, is_late: bool = False
    ) -> None:
        """Record an event whose fields are checked, under `step` or the current step."""

    @abstractmethod
    def complain(self, failure: BaseException) -> None:
        """Say that this logger does not work."""

    @abstractmethod
    def known_ending(self, status: Any) -> RunStatus | str | None:
        """Return a status that can end a run; None for another one, which is told elsewhere."""

    def close(self) -> None:  # noqa: B027 - most have nothing to free
        """Free what the logger holds; called once, after the end was recorded."""

    @property
    def has_ended(self) -> bool:
        """True when the end was recorded."""
        return self._ended

    def leave_to_parent(self) -> None:
        """Start anew in a forked child, where a lock may be held by a thread that is not there.

        What it ends is its own part, whatever block the parent is in.
        """
        self._end_lock = threading.RLock()
        self._blocks = 0

    def end_log(
        self,
        status: RunStatus | str | None = None,
        error: str | BaseException | None = None,
        result: Any = None,
    ) -> None:
        """End the run; a second call changes nothing.

        A status that is named stands (one that cannot end a run is none), and an error without one
        is FAILED. Else how the block is left decides in which the call stands, behind a `with` or
        in an action, and the end waits for that. Without a block it is COMPLETED, but by an
        exception in flight what that means.
        """
        status = None if status is None else self.known_ending(status)
        if status is None and error is None:
            if self._blocks:
                self._wait_for_the_block(result)
                return
            in_flight = sys.exc_info()[1]
            status, error = ending(None if in_flight is self._error_before else in_flight)
        self._end(rules.end(RunStatus.FAILED if status is None else status, error, result))

    def enter_block(self) -> None:
        """Let an end without a status wait for `leave_block`."""
        self._blocks += 1

    def leave_block(self, error: BaseException | None) -> None:
        """End the run as the exception that leaves the block says, unless it has ended."""
        self._blocks = max(0, self._blocks - 1)
        try:
            self.leave(ending(error))
        except BaseException as interruption:
            self.leave(ending(interruption))  # of the end itself, which is to be made up for
            raise

    def leave(self, how: Ending) -> None:
        """End the run, with the result of an end that has waited for this."""
        self._end(rules.end(*how))

    def mark_signal(self, name: str) -> None:
        """Remember that the process was asked to end: an end that is no answer to it says so."""
        self._signal = name

    def note_signal(self, name: str) -> None:
        """Record that the process was asked to end."""
        self.mark_signal(name)
        with suppress(RunEnded):
            self.report("terminating", None, {"signal": name}, is_late=True)

    def _wait_for_the_block(self, result: Any) -> None:
        if not self._is_over:
            self._is_over = True
            self._waiting_end = {} if result is None else {"result": result}

    def _end(self, fields: dict[str, Any]) -> None:
        if self.seal({**(self._waiting_end or {}), **fields}):
            try:
                self.close()
            except BaseException as failure:
                if is_plugins_own(failure):
                    raise
                self.complain(failure)

    def seal(self, fields: dict[str, Any]) -> bool:
        """Record the end, without closing.

        Returns:
            False when it had been recorded before.
        """
        if self._signal is not None and fields["status"] != RunStatus.CANCELLED:
            fields = {**fields, "signal": self._signal}
        with self._end_lock:
            if self._ended:
                return False
            self._ended = self._is_over = True
            try:
                self.record("end", None, fields)
            except BaseException as failure:
                if is_plugins_own(failure):  # Ctrl-C or SIGTERM, which will end the run itself
                    self._ended = self._is_over = False
                    raise
                self.complain(failure)
            return True
