"""What stands in front of a logger of the SDK: it reports each call, and lets it go on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from threading import get_ident
from typing import TYPE_CHECKING, Any

from synapse_stream.events.joblog import templates_in, trials_of
from synapse_stream.models import LogLevel

if TYPE_CHECKING:
    from types import FrameType

    from synapse_sdk.loggers import JobLogger as _Logger

    from synapse_stream.events.joblog import Source
    from synapse_stream.integrations.synapse_sdk.reporter import Reporter
else:
    _Logger = object

_SPEAKING, _SPEAKING_IN = "log_message", "synapse_sdk.plugins.context"
_LOSSES = ("dropped", "unsent", "delivery_unconfirmed")
_REPORTED = nullcontext()


class _Reporting(set[int]):
    """The threads that are in a report method; what that calls of the others is the same report."""

    def __enter__(self) -> None:
        self.add(get_ident())

    def __exit__(self, *_: object) -> None:
        self.discard(get_ident())

    def __reduce__(self) -> tuple[Any, ...]:
        return _Reporting, ()  # a copy is in none


class Reports(_Logger):
    """Every report method of the SDK's loggers, with the arguments that it has there.

    The stream comes first: the SDK's own call may wait, and what it refuses raises as it always
    did. What one of these methods calls of the others is the same report.
    """

    _reporter: Reporter
    _reporting: _Reporting

    def _report_to(self, reporter: Reporter) -> None:
        """Begin, instead of `__init__`: before that of the SDK's logger."""
        self._reporter = reporter
        self._reporting = _Reporting()

    def log(
        self,
        level: Any,
        event: str,
        data: Mapping[str, Any],
        file: str | None = None,
        step: str | None = None,
    ) -> None:
        """Report an entry; of a message also its templates and params."""
        # What is no such, the SDK refuses.
        if isinstance(level, Enum) and (type(data) is dict or isinstance(data, Mapping)):
            at = self.get_step() if step is None else step
            source = _source_in(sys._getframe(1)) if event == "message" else None  # noqa: SLF001
            self._reporter.entry(event, level, data, file, at, source)
        super().log(level, event, data, file, step)

    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        """Report how far a step is, with both numbers; the SDK's hooks know only the percentage."""
        at = self.get_step() if step is None else step
        self._reporter.tell("set_progress", current, total, at or None)
        super().set_progress(current, total, step)

    def set_progress_failed(self, step: str | None = None) -> None:
        """Report that a step failed; the SDK takes the current step for none."""
        self._reporter.tell("set_progress_failed", step or None)
        super().set_progress_failed(step)

    def set_metrics(self, value: Mapping[str, Any], step: str | None = None) -> None:
        """Report every value; the SDK's hook is told what is merged."""
        at = self.get_step() if step is None else step
        if at:  # else the SDK refuses it
            self._reporter.tell("set_metrics", value, at)
        super().set_metrics(value, step)

    def set_step_proportions(
        self, proportions: dict[str, int], orders: dict[str, int] | None = None
    ) -> None:
        """Report the plan of the steps."""
        plan = {"proportions": proportions, **({"orders": orders} if orders else {})}
        self._reporter.entry("step_proportions", LogLevel.DEBUG, plan)
        proceed = getattr(super(), "set_step_proportions", None)
        if proceed is not None:  # only a `JobLogger` has it
            proceed(proportions, orders)

    def log_event(self, event: str, data: dict[str, Any], file: str | None = None) -> None:
        """Report an entry, which has no level."""
        with self._once(event, data, file):
            super().log_event(event, data, file)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        """Report metrics, under their category as the step."""
        data = {"category": category, "key": key, "value": value, "metrics": metrics}
        with self._once("metric", data):
            super().log_metric(category, key, value, **metrics)

    def log_visualization(
        self, category: str, group: str, index: int, image: str, **meta: Any
    ) -> None:
        """Report an image by its path."""
        data = {"category": category, "group": group, "index": index, **meta}
        with self._once("visualization", data, image):
            super().log_visualization(category, group, index, image, **meta)

    def log_trials(self, data: dict[str, Any] | None = None, **parts: Any) -> None:
        """Report the table of Tune's trials."""
        with self._once("trials", trials_of(data, parts)):
            super().log_trials(data, **parts)

    def log_message(self, message: str, level: Any = None, *, context: Any = None) -> None:
        """Report a message with its level, which the SDK's own drops."""
        meant = context if level is None else level
        with self._once("message", {"content": message}, level=meant):
            super().log_message(message, level, context=context)

    def finish(self) -> None:
        """End the run: completed, or as the exception says that the driver is handling."""
        try:
            super().finish()
            self._report_loss()
        finally:
            self._reporter.end(sys.exc_info()[1])

    def _report_loss(self) -> None:
        """Report what the backend did not get."""
        counts: dict[str, Any] = getattr(self, "log_loss_report", dict)()
        if any(counts.get(name) for name in _LOSSES):
            self._reporter.entry("joblog_loss", LogLevel.WARNING, counts)

    def _once(
        self, event: str, data: Any, file: str | None = None, level: Any = LogLevel.INFO
    ) -> AbstractContextManager[None]:
        """Report an entry, unless it is part of a report already."""
        if get_ident() in self._reporting:
            return _REPORTED
        if isinstance(data, Mapping):  # else the SDK refuses it
            self._reporter.entry(event, level, data, file, self.get_step())
        return self._reporting


def _source_in(caller: FrameType) -> Source | None:
    """Return what a message was made of, as it stands in the frame of the context's `log_message`.

    The context hands its logger the finished text only, and there is no other way to ask it.
    """
    if caller.f_code.co_name != _SPEAKING or caller.f_globals["__name__"] != _SPEAKING_IN:
        return None
    found = caller.f_locals
    return templates_in(found.get("message")), found.get("kwargs")
