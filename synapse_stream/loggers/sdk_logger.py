"""A logger of the Synapse SDK as a logger: everything it is told it records in its own way."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

from synapse_stream.events.joblog import Said
from synapse_stream.events.plain import plain
from synapse_stream.loggers.base import BaseLogger
from synapse_stream.models import LogLevel, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_STEP = "__default__"  # its own name for that; it refuses metrics without a step
_OF_A_MESSAGE = ("content", "key")
_LEVELS_OF_ENDS = {RunStatus.COMPLETED: LogLevel.INFO, RunStatus.CANCELLED: LogLevel.WARNING}


def is_sdk_logger(logger: Any) -> bool:
    """Tell a logger of the SDK, wrapped or not, by how it is called: `log(level, event, …)`."""
    try:
        first = next(iter(signature(logger.log).parameters))
    except (AttributeError, TypeError, ValueError, StopIteration):
        return False
    return first == "level"


class SdkLogger(BaseLogger):
    """Hands events to a logger of the SDK, and finishes it when the run ends.

    What has no method there is an entry of its log: nothing is left out.
    """

    _target: Any = None  # of a copy whose object could not come along

    def __init__(self, target: Any) -> None:
        job_id = getattr(target, "job_id", None) or getattr(target, "_job_id", None)
        super().__init__(job_id if isinstance(job_id, str) else None)
        self.name = type(target).__name__
        self._target = target

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Call the method that reports such an event."""
        if self._target is not None:
            _CALLS.get(kind, _other)(self._target, kind, step, fields)


def _message(target: Any, _kind: str, step: str | None, fields: dict[str, Any]) -> None:
    data = Said({name: fields[name] for name in _OF_A_MESSAGE if name in fields})
    data.source = (fields.get("template"), fields.get("params"))
    target.log(LogLevel(fields["level"]), "message", data, step=step)


def _progress(target: Any, _kind: str, step: str | None, fields: dict[str, Any]) -> None:
    if not fields.get("failed"):
        target.set_progress(fields["current"], fields["total"], step)
        return
    target.set_progress_failed(step)
    if "error" in fields:
        data = {"error": fields["error"]}
        target.log(LogLevel.ERROR, "progress_failed", data, step=step)


def _metrics(target: Any, _kind: str, step: str | None, fields: dict[str, Any]) -> None:
    values = fields["values"]
    if "x" in fields:
        values = {"x": fields["x"], **values}
    target.set_metrics(values, step or target.get_step() or _NO_STEP)


def _dev_event(target: Any, kind: str, step: str | None, fields: dict[str, Any]) -> None:
    data = {"message": fields["message"], "data": plain(fields.get("data"))}
    target.log(LogLevel.DEBUG, kind, data, step=step)


def _log(target: Any, _kind: str, step: str | None, fields: dict[str, Any]) -> None:
    data = plain(dict(fields["data"]))
    target.log(LogLevel(fields["level"]), fields["event"], data, fields.get("file"), step=step)


def _end(target: Any, kind: str, _step: str | None, fields: dict[str, Any]) -> None:
    try:
        if fields.keys() != {"status"} or fields["status"] != RunStatus.COMPLETED:
            level = _LEVELS_OF_ENDS.get(RunStatus(fields["status"]), LogLevel.ERROR)
            target.log(level, kind, plain(fields))
    finally:
        target.finish()


def _other(target: Any, kind: str, step: str | None, fields: dict[str, Any]) -> None:
    target.log(LogLevel.DEBUG, kind, plain(fields), step=step)


_CALLS: dict[str, Callable[[Any, str, str | None, dict[str, Any]], None]] = {
    "message": _message,
    "progress": _progress,
    "metrics": _metrics,
    "dev_event": _dev_event,
    "log": _log,
    "end": _end,
}
