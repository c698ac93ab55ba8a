"""The small vocabulary that plugins, events and views share."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class LogLevel(StrEnum):
    """Severity of a log entry or message."""

    DEBUG = "debug"
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    DANGER = "danger"
    ERROR = "error"
    CRITICAL = "critical"


class RunStatus(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """True when nothing can follow."""
        return self in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}


class ActionStatus(StrEnum):
    """Where one action of a pipeline stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class ProgressData(NamedTuple):
    """One progress report."""

    current: float
    total: float
    step: str | None = None

    @property
    def percent(self) -> float:
        """Share done, 0 to 100."""
        return 100.0 * self.current / self.total
