"""Events as producers write them: the one vocabulary of all suites. Each takes further fields."""

from __future__ import annotations

from typing import Any

START = 1_763_880_000_000_000
SECOND = 1_000_000


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an event; its number and time are added when it is said, unless it has them."""
    at = fields.pop("at", None)
    return (
        {"type": kind, "v": 1} | ({} if at is None else {"time": START + int(at * SECOND)}) | fields
    )


def started(rank: int | None = 0, **fields: Any) -> dict[str, Any]:
    process = {
        "host": "node-1",
        "pid": 4711,
        "python": "3.13.0",
        "sdk": {"synapse-stream": "0.1.0"},
    }
    told = {"action": "train", "rank": rank, "attempt": None}
    return event("run_started", **told | process | fields)


def progress(
    current: float, total: float = 100, step: str | None = None, **fields: Any
) -> dict[str, Any]:
    named = {} if step is None else {"step": step}
    return event("progress", current=current, total=total, **named, **fields)


def plan(steps: dict[str, float | None], **fields: Any) -> dict[str, Any]:
    return event("plan", steps=steps, **fields)


def action(name: str, status: str, **fields: Any) -> dict[str, Any]:
    return event("action", name=name, status=status, **{"error": None} | fields)


def metrics(values: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return event("metrics", values=values, **fields)


def message(content: str, level: str = "info", **fields: Any) -> dict[str, Any]:
    return event("message", content=content, level=level, **fields)


def ended(status: str | None = "completed", rank: int | None = 0, **fields: Any) -> dict[str, Any]:
    return event("end", **{"status": status, "error": None, "result": None, "rank": rank} | fields)


def lost(rank: int | None = 0, **fields: Any) -> dict[str, Any]:
    gone = {"host": "node-1", "pid": 4711, "reason": "the process ended without ending its run"}
    return event("producer_lost", rank=rank, **gone | fields)


def joined(parent: str | None = "p0", **fields: Any) -> dict[str, Any]:
    return event("joined", parent=parent, host="node-1", pid=4712, **fields)


def resumed(producer: str, last: int, rank: int | None = 0, **fields: Any) -> dict[str, Any]:
    named = {"host": "node-1", "pid": 4711, "reason": "its name was taken"}
    return event("resumed", producer=producer, last=last, rank=rank, **named, **fields)


def child(producer: str) -> dict[str, Any]:
    return {"producer": producer, "pid": 1}


def asked(signal: str = "SIGTERM", **fields: Any) -> dict[str, Any]:
    return event("terminating", signal=signal, **fields)
