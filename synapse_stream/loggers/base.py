"""What every logger does: check the arguments, name the step, record the event, end once."""

from __future__ import annotations

import os
import weakref
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Any

from synapse_stream.errors import RunEnded
from synapse_stream.events import rules, templates
from synapse_stream.loggers.copies import Copied, packed, unpacked
from synapse_stream.loggers.ending_once import EndsOnce
from synapse_stream.loggers.endings import ending
from synapse_stream.loggers.lenience import Lenience
from synapse_stream.loggers.spellings import Spellings
from synapse_stream.loggers.tracking import Tracks
from synapse_stream.models import ActionStatus, LogLevel, RunStatus
from synapse_stream.saying import voice
from synapse_stream.system.signals import is_plugins_own

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# One variable for all loggers, keyed by the logger: a variable of its own would never be collected.
_steps: ContextVar[dict[object, str | None]] = ContextVar("synapse_stream_steps", default={})  # noqa: B039 - never changed

_loggers: weakref.WeakSet[BaseLogger] = weakref.WeakSet()


# What a logger of any class has, and a copy has of its own.
_NOT_COPIED = frozenset(
    {
        "job_id", "name", "_ended", "_is_over", "_blocks", "_waiting_end", "_signal",
        "_error_before", "_end_lock", "_has_complained", "_step_key", "_copy_id", "_lenience",
    }
)  # fmt: skip


class BaseLogger(EndsOnce, Copied, Tracks, Spellings):
    """Base of all loggers; a subclass says in `record` where events go.

    Report calls raise TypeError for wrong calls and RunEnded after `end_log`. A wrong value
    (`rules` decides, the same for every logger) costs itself only: it is kept as a dev event,
    counted, and said once; if the logger is `strict`, it raises TypeError or ValueError. Whatever
    else goes wrong is said once on the stdlib logger `synapse_stream` and never reaches the plugin.
    Safe to use from several threads if `record` is.
    """

    strict = False
    """True: wrong values raise."""

    def __init__(self, job_id: str | None = None) -> None:
        super().__init__()
        self.job_id = job_id
        self.name = type(self).__name__
        self._has_complained = False
        self._step_key = object()
        self._lenience = Lenience()
        _loggers.add(self)

    def to_copy(self) -> tuple[type[Any], dict[str, Any]]:
        """Return what the copy in another process is made of."""
        own = {name: part for name, part in vars(self).items() if name not in _NOT_COPIED}
        parts = packed(own, f"job {self.job_id}: {self.name}")
        return type(self), {"job_id": self.job_id, "is_over": self._is_over, "own": parts}

    def become_copy(self, parts: dict[str, Any]) -> None:
        """Report to the same run, as a child of the original."""
        BaseLogger.__init__(self, parts["job_id"])
        self._ended = self._is_over = parts["is_over"]
        vars(self).update(unpacked(parts["own"], f"job {self.job_id}: {self.name}"))

    @property
    def current_step(self) -> str | None:
        """The step of a report that names none."""
        return _steps.get().get(self._step_key, self._set_step)

    def flush(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - for subclasses
        """Wait until everything accepted so far is where it belongs, at most `timeout` seconds.

        Returns:
            True when it is there.
        """
        return True

    def log(
        self,
        event: Any,
        data: Any,
        file: Any = None,
        level: LogLevel | str = LogLevel.INFO,
        step: str | None = None,
    ) -> None:
        """Record an event of the plugin's own with its data and, maybe, the path of a file.

        The Synapse SDK's order is taken, too: level, event, data, file, step.
        """
        if isinstance(data, str) and isinstance(event, Enum):
            last = None if level is LogLevel.INFO else level
            event, data, file, level = data, file, last, event
        wrong: list[rules.Wrong] | None = None if self.strict else []
        self._report("log", step, rules.log(event, data, file, level, wrong), wrong)

    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        """Report how far a step is, 0 to `total`."""
        wrong: list[rules.Wrong] | None = None if self.strict else []
        self._report("progress", step, rules.progress(current, total, wrong), wrong)

    def set_progress_failed(
        self, step: str | None = None, error: str | BaseException | None = None
    ) -> None:
        """Report that a step failed; it keeps its last percentage."""
        self._report("progress", step, rules.progress_failed(error), None if self.strict else [])

    def set_metrics(
        self, value: Mapping[str, Any], step: str | None = None, *, x: float | None = None
    ) -> None:
        """Record numbers by name; `x` is their place on the horizontal axis (epoch, step)."""
        wrong: list[rules.Wrong] | None = None if self.strict else []
        self._report("metrics", step, rules.metrics(value, x, wrong), wrong)

    def log_message(
        self,
        message: str | Mapping[str, str],
        context: LogLevel | str = LogLevel.INFO,
        **params: Any,
    ) -> None:
        """Record a message for users; a mapping holds a template a language for `params`.

        Unless a template asks for a param of that name, `level` is another word for the context,
        `step` is the message's step, and `language` the one that is rendered.
        """
        wrong: list[rules.Wrong] | None = None if self.strict else []
        meant = templates.meant(message, params) if params else params
        level, step = meant.get("level", context), meant.get("step")
        fields = rules.message(message, level, params, meant.get("language"), wrong)
        self._report("message", step, fields, wrong)

    def log_dev_event(self, message: str, data: Any = None) -> None:
        """Record an event for the plugin's developers."""
        self._report("dev_event", None, rules.dev_event(message, data), None)

    def set_action(self, name: object, status: ActionStatus, error: str | None = None) -> None:
        """Record where one action of a pipeline stands."""
        wrong: list[rules.Wrong] | None = None if self.strict else []
        fields: dict[str, Any] = {"name": rules.action_name(name, wrong), "status": status}
        fields = fields if error is None else {**fields, "error": error}
        self._report("action", None, fields, wrong)

    def report(
        self, kind: str, step: str | None, fields: dict[str, Any], *, is_late: bool = False
    ) -> None:
        """Record an event whose fields are checked, under `step` or the current step.

        One `is_late` is taken also while the end waits for its block.

        Raises:
            RunEnded: after `end_log`.
        """
        self._put(kind, rules.step_name(step), fields, is_late=is_late)

    def _put(
        self, kind: str, step: str | None, fields: dict[str, Any], *, is_late: bool = False
    ) -> None:
        if self._is_over and not (is_late and not self._ended):
            msg = f"job {self.job_id!r} has ended, so this {kind} event was not recorded"
            raise RunEnded(msg)
        if step is None:
            step = self.current_step
        try:
            self.record(kind, step, fields)
        except RunEnded:
            raise
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            self.complain(failure)

    def _report(
        self, kind: str, step: Any, fields: dict[str, Any], wrong: list[rules.Wrong] | None
    ) -> None:
        """Record an event, if there is one, and what was wrong; None: that raises."""
        if step is not None:
            step = rules.step_name(step, wrong)
        if fields:
            self._put(kind, step, fields)
        if wrong:
            self._put("dev_event", step, self._lenience.event(kind, wrong, self.job_id))

    def known_ending(self, status: Any) -> RunStatus | str | None:
        """Return a status that can end a run; None for another one, which is a wrong value.

        Raises:
            ValueError: it is one, and the logger is strict.
        """
        wrong: list[rules.Wrong] | None = None if self.strict else []
        known = rules.ending(status, wrong)
        with suppress(RunEnded):
            self._report("end", None, {}, wrong)
        return known

    def complain(self, failure: BaseException) -> None:
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
        wrong: list[rules.Wrong] | None = None if self.strict else []
        token = _steps.set({**_steps.get(), self._step_key: rules.step_name(name, wrong)})
        if wrong:
            self._report("step", None, {}, wrong)
        try:
            yield
        finally:
            with suppress(ValueError):  # a generator closed from elsewhere: its context is gone
                _steps.reset(token)

    @contextmanager
    def action(self, name: str) -> Iterator[None]:
        """Record RUNNING, then COMPLETED, or FAILED with the error that leaves the block."""
        self.set_action(name, ActionStatus.RUNNING)
        name = rules.action_name(name, [])  # a wrong one was said
        try:
            yield
        except BaseException as failure:
            self._finish_action(name, failure)
            raise
        self._finish_action(name, None)

    def _finish_action(self, name: str, failure: BaseException | None) -> None:
        status, error = ending(failure)
        done = ActionStatus.COMPLETED if status is RunStatus.COMPLETED else ActionStatus.FAILED
        fields = {"name": name, "status": done}
        with suppress(RunEnded):  # the block may have ended the run
            fields = fields if error is None else {**fields, "error": error}
            self.report("action", None, fields, is_late=True)


def _after_fork_in_child() -> None:
    for logger in list(_loggers):
        logger.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)
