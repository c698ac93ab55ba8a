"""Any object with the logger's methods as a logger: the plugin's own, a mock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream.loggers.base import BaseLogger
from synapse_stream.models import LogLevel, RunStatus
from synapse_stream.saying import voice

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = tuple[str, tuple[Any, ...], dict[str, Any]]

_METHODS = ("log", "set_progress", "set_metrics", "log_message", "log_dev_event", "end_log")


class ForeignLogger(BaseLogger):
    """Calls the object's method of the same name, behind the same rules as every logger.

    Required arguments are passed by position; optional ones by name, and only when they differ from
    their default, so that an object with the documented methods serves. Messages are passed as
    rendered. What the object has no method for, or a method no parameter for, is left out, the
    latter with a word. At the end it is finished, if it has `finish` and no `end_log`.
    """

    _target: Any = None  # of a copy whose object could not come along

    def __init__(self, target: Any) -> None:
        job_id = getattr(target, "job_id", None)
        super().__init__(job_id if isinstance(job_id, str) else None)
        self.name = type(target).__name__
        self._target = target
        self._taken: dict[str, frozenset[str] | None] = {}
        self._said: set[str] = set()

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Call the method that reports such an event."""
        to_call = _CALLS.get(kind)
        if to_call is None:
            return
        name, values, options = to_call(fields)
        method = getattr(self._target, name, None)
        if method is not None:
            if step is not None and kind in _KINDS_WITH_STEP:
                options["step"] = step
            method(*values, **self._taken_of(name, method, options))
        elif kind == "end" and hasattr(self._target, "finish"):
            self._target.finish()

    def _taken_of(self, name: str, method: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options that a method has parameters for; the first without one is said."""
        if not options:
            return options
        if name not in self._taken:
            self._taken[name] = _parameters(method)
        taken = self._taken[name]
        if taken is None:
            return options
        lacking = ", ".join(sorted(options.keys() - taken))
        if lacking and lacking not in self._said:
            self._said.add(lacking)
            voice.warn(
                "job %s: %s of %s has no parameter %s, so that is left out there",
                *(self.job_id, name, self.name, lacking),
            )
        return {option: value for option, value in options.items() if option in taken}

    def flush(self, timeout: float | None = None) -> bool:
        """Ask the object, if it can be asked; one that answers nothing is done."""
        flush = getattr(self._target, "flush", None)
        answer = None if flush is None else flush(timeout)
        return answer is None or bool(answer)


def adapt(logger: Any) -> BaseLogger:
    """Return `logger` itself when it is one of ours, else an adapter around it.

    Raises:
        TypeError: it has none of the logger's methods.
    """
    if isinstance(logger, BaseLogger):
        return logger
    from synapse_stream.loggers.sdk_logger import SdkLogger, is_sdk_logger  # noqa: PLC0415 - of others only

    if is_sdk_logger(logger):
        return SdkLogger(logger)
    if not any(callable(getattr(logger, name, None)) for name in _METHODS):
        msg = (
            f"logger={logger!r} is no logger: it has none of the methods {', '.join(_METHODS)}; "
            "NullLogger() keeps nothing"
        )
        raise TypeError(msg)
    return ForeignLogger(logger)


def _parameters(method: Any) -> frozenset[str] | None:
    """Return the names that a method takes; None: any, or nobody can tell."""
    from inspect import Parameter, signature  # noqa: PLC0415 - few plugins bring loggers

    try:
        parameters = signature(method).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return frozenset(parameter.name for parameter in parameters)


def _progress(fields: dict[str, Any]) -> Call:
    if fields.get("failed"):
        return "set_progress_failed", (), _given(fields, "error")
    return "set_progress", (fields["current"], fields["total"]), {}


def _plan(fields: dict[str, Any]) -> Call:
    return "plan", (fields["steps"],), {}


def _metrics(fields: dict[str, Any]) -> Call:
    return "set_metrics", (fields["values"],), _given(fields, "x")


def _message(fields: dict[str, Any]) -> Call:
    level = fields["level"]
    context = {} if level == LogLevel.INFO else {"context": str(level)}
    return "log_message", (fields["content"],), context


def _dev_event(fields: dict[str, Any]) -> Call:
    return "log_dev_event", (fields["message"], *_given(fields, "data").values()), {}


def _log(fields: dict[str, Any]) -> Call:
    level = {} if fields["level"] == LogLevel.INFO else {"level": str(fields["level"])}
    return "log", (fields["event"], fields["data"]), _given(fields, "file") | level


def _end(fields: dict[str, Any]) -> Call:
    status = {} if fields["status"] == RunStatus.COMPLETED else {"status": str(fields["status"])}
    return "end_log", (), status | _given(fields, "error", "result")


def _given(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


_KINDS_WITH_STEP = frozenset({"progress", "metrics", "log"})
_CALLS: dict[str, Callable[[dict[str, Any]], Call]] = {
    "progress": _progress,
    "plan": _plan,
    "metrics": _metrics,
    "message": _message,
    "dev_event": _dev_event,
    "log": _log,
    "end": _end,
}
