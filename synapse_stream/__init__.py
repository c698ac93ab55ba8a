"""Synapse Stream: what a plugin reports is in its job's stream exactly once, live and replayable.

Names are imported when they are first used, so that `import synapse_stream` costs next to nothing
and a plugin that only reports never loads what only readers need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synapse_stream.entries.position import Position
    from synapse_stream.errors import (
        ConfigError,
        DecodeError,
        LogUnavailable,
        RunEnded,
        SynapseStreamError,
    )
    from synapse_stream.events.types import RecordedEvent
    from synapse_stream.loggers.base import BaseLogger
    from synapse_stream.loggers.console import ConsoleLogger
    from synapse_stream.loggers.null import NullLogger
    from synapse_stream.loggers.stream import StreamLogger
    from synapse_stream.models import ActionStatus, LogLevel, ProgressData, RunStatus
    from synapse_stream.ports.job_view import Delivery, JobView
    from synapse_stream.reading.runs import Runs
    from synapse_stream.reading.stream import JobStream
    from synapse_stream.reporting.action import BaseAction, run_action
    from synapse_stream.reporting.context import RuntimeContext
    from synapse_stream.reporting.environment import PluginEnvironment
    from synapse_stream.reporting.pipeline import Pipeline
    from synapse_stream.reporting.run import open_run
    from synapse_stream.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "ActionStatus",
    "BaseAction",
    "BaseLogger",
    "ConfigError",
    "ConsoleLogger",
    "DecodeError",
    "Delivery",
    "JobStream",
    "JobView",
    "LogLevel",
    "LogUnavailable",
    "NullLogger",
    "Pipeline",
    "PluginEnvironment",
    "Position",
    "ProgressData",
    "RecordedEvent",
    "RunEnded",
    "RunStatus",
    "Runs",
    "RuntimeContext",
    "Settings",
    "StreamLogger",
    "SynapseStreamError",
    "__version__",
    "open_run",
    "run_action",
]

_HOMES = {
    "reporting.action": ("BaseAction", "run_action"),
    "reporting.context": ("RuntimeContext",),
    "reporting.environment": ("PluginEnvironment",),
    "errors": ("ConfigError", "DecodeError", "LogUnavailable", "RunEnded", "SynapseStreamError"),
    "events.types": ("RecordedEvent",),
    "loggers.base": ("BaseLogger",),
    "loggers.console": ("ConsoleLogger",),
    "loggers.null": ("NullLogger",),
    "loggers.stream": ("StreamLogger",),
    "models": ("ActionStatus", "LogLevel", "ProgressData", "RunStatus"),
    "ports.job_view": ("Delivery", "JobView"),
    "reporting.pipeline": ("Pipeline",),
    "entries.position": ("Position",),
    "reporting.run": ("open_run",),
    "settings": ("Settings",),
    "reading.runs": ("Runs",),
    "reading.stream": ("JobStream",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for; the next access finds it in the module itself."""
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
