"""What every logger does: check the arguments, name the step, record the event, end once."""

from __future__ import annotations

import os
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sized
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from synapse_stream import rules, voice
from synapse_stream.errors import RunEnded
from synapse_stream.loggers.endings import ending
from synapse_stream.models import ActionStatus, LogLevel, RunStatus
from synapse_stream.plain import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

T = TypeVar("T")

_REPORTS_A_TRACK = 1_000
_TRACK_SECONDS = 1.0

# One variable for all loggers, keyed by the logger: a variable of its own would never be collected.
_steps: ContextVar[dict[object, str | None]] = ContextVar("synapse_stream_steps", default={})  # noqa: B039 - never changed

_loggers: weakref.WeakSet[BaseLogger] = weakref.WeakSet()


class BaseLogger(ABC):
    """Base of all loggers; a subclass says in `record` where events go.

    Report calls raise TypeError and ValueError for wrong arguments (`rules` decides, the same for
    every logger) and RunEnded after `end_log`. Whatever else goes wrong is said once on the stdlib
    logger `synapse_stream` and never reaches the plugin. Safe to use from several threads if
    `record` is.
    """

    def __init__(self, job_id: str | None = None) -> None:
        self.job_id = job_id
        self.name = type(self).__name__
        self._ended = False
        self._end_lock = threading.RLock()
        self._has_complained = False
        self._step_key = object()
        _loggers.add(self)

    @abstractmethod
    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Take one event: its type, its step and its fields, checked and complete."""

    @property
    def has_ended(self) -> bool:
        """True when the end was recorded."""
        return self._ended

    def flush(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - for subclasses
        """Wait until everything accepted so far is where it belongs, at most `timeout` seconds.

        Returns:
            True when it is there.
        """
        return True

    def close(self) -> None:  # noqa: B027 - most have nothing to free
        """Free what the logger holds; called once, after the end was recorded."""

    def leave_to_parent(self) -> None:
        """Start anew in a forked child, where a lock may be held by a thread that is not there."""
        self._end_lock = threading.RLock()

    def log(
        self,
        event: str,
        data: Mapping[str, Any],
        file: str | os.PathLike[str] | None = None,
        *,
        level: LogLevel | str = LogLevel.INFO,
        step: str | None = None,
    ) -> None:
        """Record an event of the plugin's own with its data and, maybe, the path of a file."""
        self.report("log", step, rules.log(event, data, file, level))

    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        """Report how far a step is, 0 to `total`."""
        self.report("progress", step, rules.progress(current, total))

    def set_progress_failed(
        self, step: str | None = None, error: str | BaseException | None = None
    ) -> None:
        """Report that a step failed; it keeps its last percentage."""
        self.report("progress", step, rules.progress_failed(error))

    def set_metrics(
        self, value: Mapping[str, Any], step: str | None = None, *, x: float | None = None
    ) -> None:
        """Record numbers by name; `x` is their place on the horizontal axis (epoch, step)."""
        self.report("metrics", step, rules.metrics(value, x))

    def log_message(
        self,
        message: str | Mapping[str, str],
        context: LogLevel | str = LogLevel.INFO,
        **params: Any,
    ) -> None:
        """Record a message for users; a mapping holds a template a language for `params`."""
        self.report("message", None, rules.message(message, context, params))

    def log_dev_event(self, message: str, data: Any = None) -> None:
        """Record an event for the plugin's developers."""
        self.report("dev_event", None, rules.dev_event(message, data))

    def set_action(self, name: object, status: ActionStatus, error: str | None = None) -> None:
        """Record where one action of a pipeline stands.

        Raises:
            TypeError: `name` is no text.
        """
        if not isinstance(name, str):
            msg = f"the name of an action must be a text, not {describe(name)}"
            raise TypeError(msg)
        fields: dict[str, Any] = {"name": name, "status": status}
        self.report("action", None, fields if error is None else {**fields, "error": error})

    def end_log(
        self,
        status: RunStatus | str = RunStatus.COMPLETED,
        error: str | BaseException | None = None,
        result: Any = None,
    ) -> None:
        """End the run; a second call changes nothing."""
        if self.seal(rules.end(status, error, result)):
            try:
                self.close()
            except Exception as failure:  # noqa: BLE001 - a logger's own trouble is never the plugin's
                self.complain(failure)

    def seal(self, fields: dict[str, Any]) -> bool:
        """Record the end, without closing.

        Returns:
            False when it had been recorded before.
        """
        with self._end_lock:
            if self._ended:
                return False
            self._ended = True
            try:
                self.record("end", None, fields)
            except Exception as failure:  # noqa: BLE001 - as in `end_log`
                self.complain(failure)
            except BaseException:
                self._ended = False  # by Ctrl-C or SIGTERM, which is about to end the run itself
                raise
            return True

    def report(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Record an event whose fields are checked, under `step` or the current step.

        Raises:
            RunEnded: after `end_log`.
        """
        if self._ended:
            msg = f"job {self.job_id!r} has ended, so this {kind} event was not recorded"
            raise RunEnded(msg)
        step = _steps.get().get(self._step_key) if step is None else rules.step_name(step)
        try:
            self.record(kind, step, fields)
        except RunEnded:
            raise
        except Exception as failure:  # noqa: BLE001 - as in `end_log`
            self.complain(failure)

    def complain(self, failure: Exception) -> None:
        """Say on the stdlib logger that this logger does not work; the first time only."""
        if not self._has_complained:
            self._has_complained = True
            voice.error(
                "job %s: %s failed and its reports are lost; the run goes on: %s: %s",
                *(self.job_id, self.name, type(failure).__name__, failure),
            )

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Make `name` the step of every report in the block that names none.

        It holds in the thread or asyncio task of the block, and in tasks started there.
        """
        token = _steps.set({**_steps.get(), self._step_key: rules.step_name(name)})
        try:
            yield
        finally:
            with suppress(ValueError):  # a generator closed from elsewhere: its context is gone
                _steps.reset(token)

    @contextmanager
    def action(self, name: str) -> Iterator[None]:
        """Record RUNNING, then COMPLETED, or FAILED with the error that leaves the block."""
        self.set_action(name, ActionStatus.RUNNING)
        try:
            yield
        except BaseException as failure:
            self._finish_action(name, failure)
            raise
        self._finish_action(name, None)

    def _finish_action(self, name: str, failure: BaseException | None) -> None:
        status, error = ending(failure)
        done = ActionStatus.COMPLETED if status is RunStatus.COMPLETED else ActionStatus.FAILED
        with suppress(RunEnded):  # the block may have ended the run, as the documented example does
            self.set_action(name, done, error)

    def track(
        self, iterable: Iterable[T], total: float | None = None, step: str | None = None
    ) -> Iterator[T]:
        """Yield the items and report progress after each.

        The total is `len(iterable)` unless given; when there are more items than that, it grows. Of
        many items, one in a thousandth of the total is reported, and at least one a second. Without
        a total nothing is known to be a share of; the step is then reported once, as done, behind
        the last item.
        """
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        if total:
            self.set_progress(0, total, step)
        return self._track(iterable, total or 0, step)

    def _track(self, iterable: Iterable[T], total: float, step: str | None) -> Iterator[T]:
        stride = max(1, int(total // _REPORTS_A_TRACK))
        done = reported = 0
        due = time.monotonic() + _TRACK_SECONDS
        for done, item in enumerate(iterable, 1):
            yield item
            if total and (done % stride == 0 or time.monotonic() >= due):
                self.set_progress(done, max(done, total), step)
                reported, due = done, time.monotonic() + _TRACK_SECONDS
        if done != reported:
            self.set_progress(done, max(done, total), step)


def _after_fork_in_child() -> None:
    for logger in list(_loggers):
        logger.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)
