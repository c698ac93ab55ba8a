"""Events as producers write them: the one vocabulary of all suites, which authors of views have."""

from __future__ import annotations

from typing import Any

from synapse_stream.testing.views import (
    SECOND,
    START,
    action,
    ended,
    event,
    joined,
    lost,
    message,
    metrics,
    plan,
    progress,
    resumed,
    started,
)
from synapse_stream.testing.views import terminating as asked

__all__ = [
    "SECOND",
    "START",
    "action",
    "asked",
    "child",
    "ended",
    "event",
    "joined",
    "lost",
    "message",
    "metrics",
    "plan",
    "progress",
    "resumed",
    "started",
]


def child(producer: str) -> dict[str, Any]:
    return {"producer": producer, "pid": 1}
