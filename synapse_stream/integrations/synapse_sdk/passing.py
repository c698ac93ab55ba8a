"""A logger of the SDK that is another one's: for a tee of a logger that somebody else made."""

from __future__ import annotations

from typing import Any

from synapse_sdk.loggers import BaseLogger

from synapse_stream.events.joblog import level_of
from synapse_stream.models import LogLevel


def _passed(name: str) -> Any:
    """Return a method that calls the other logger's of that name."""

    def method(self: Passing, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._also, name)(*args, **kwargs)

    return method


class Passing:
    """Hands each call to another logger, whose class and attributes are seen here as well."""

    def __init__(self, also: Any) -> None:
        self._also = also

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # the orchestrator asks whether it has a `JobLogger`
        return type(self._also)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_also":
            raise AttributeError(name)  # while it is being unpickled
        return getattr(self._also, name)

    # These call `log` of the whole, so that they are reported.
    debug = BaseLogger.debug
    info = BaseLogger.info
    warning = BaseLogger.warning
    error = BaseLogger.error
    critical = BaseLogger.critical

    log = _passed("log")
    set_progress = _passed("set_progress")
    set_progress_failed = _passed("set_progress_failed")
    set_metrics = _passed("set_metrics")
    finish = _passed("finish")
    _build_message_data = _passed("_build_message_data")

    def set_step_proportions(self, *args: Any, **kwargs: Any) -> None:
        """Pass them on to a logger that takes them."""
        if hasattr(self._also, "set_step_proportions"):
            self._also.set_step_proportions(*args, **kwargs)

    def log_event(self, event: str, data: Any, file: str | None = None) -> None:
        """Pass it on, as an entry at least."""
        if hasattr(self._also, "log_event"):
            self._also.log_event(event, data, file)
        else:
            self._also.log(LogLevel.INFO, event, data, file)

    def log_message(self, message: str, level: Any = None, *, context: Any = None) -> None:
        """Pass it on, as an entry at least."""
        if hasattr(self._also, "log_message"):
            self._also.log_message(message, level, context=context)
        else:
            meant = LogLevel(level_of(context if level is None else level))
            self._also.log(meant, "message", {"content": message})

    def log_metric(self, *args: Any, **kwargs: Any) -> None:
        """Pass it on, as the SDK's context does to a logger that may not have it."""
        self._context().log_metric(*args, **kwargs)

    def log_visualization(self, *args: Any, **kwargs: Any) -> None:
        """Pass it on like a metric."""
        self._context().log_visualization(*args, **kwargs)

    def log_trials(self, *args: Any, **kwargs: Any) -> None:
        """Pass it on like a metric."""
        self._context().log_trials(*args, **kwargs)

    def _context(self) -> Any:
        from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext  # noqa: PLC0415 - imports the loggers

        return RuntimeContext(logger=self._also, env=PluginEnvironment())
