"""What viewers get: what is listed here, and nothing else.

A new type of event, or a new field of one or of a run's state, is for developers until it is
listed: it may hold what `dev` hides.
"""

from __future__ import annotations

from typing import Any

import orjson

_ALL: Any = None
_CHILDREN = frozenset({"children", "child_count"})
_EVERY = frozenset({"type", "v", "seq", "time", "step", "truncated"})
_EVENTS: dict[str, frozenset[str]] = {
    kind: _EVERY | fields
    for kind, fields in {
        "run_started": {
            *("action", "plugin", "host", "pid", "rank", "attempt"),
            *("python", "sdk", "code", "machine", "params", "labels"),
        },
        "joined": {"parent", "host", "pid"},
        "resumed": {"producer", "last", "host", "pid", "rank", "reason"},
        "progress": {"current", "total", "failed", "error"},
        "plan": {"steps"},
        "metrics": {"values", "x"},
        "message": {"content", "level", "key", "template", "params"},
        "action": {"name", "status", "error"},
        "heartbeat": frozenset[str](),
        "terminating": {"signal"},
        "producer_lost": {"host", "pid", "rank", "last", "reason", *_CHILDREN},
        "loss": {"counts", "first", "last", "reason", "uncounted"},
        "signed_off": {"name", "meaning", "entries", "root", "key", "signature"},
        "end": {"status", "error", "result", "count", "rank", "signal", *_CHILDREN},
    }.items()
}


def _fields(*names: str, **nested: Any) -> dict[str, Any]:
    return dict.fromkeys(names, _ALL) | nested


_QUOTA = _fields("of", "used", "most", "left_out")
_STEP = _fields(
    *("name", "current", "total", "percent", "started", "updated", "rate", "eta_seconds"),
    *("is_failed", "error"),
)
_ACTION = _fields("name", "status", "started", "ended", "error")
_RANK = _fields(
    *("rank", "status", "is_lost", "error", "started", "ended", "host", "pid", "python", "sdk"),
    *("last_sign_ms", "is_ending", "signal"),
    steps=_STEP,
    actions=_ACTION,
)
_ATTEMPT = _fields(
    *("number", "status", "error", "result", "action", "plugin", "params", "labels", "started"),
    *("ended", "first_time", "last_time", "last_sign_ms", "overall_percent"),
    *("counts", "levels", "events", "duration_seconds", "first_sign_ms", "is_ending", "signal"),
    *("rejected", "notes"),
    *("overall_is_at_least", "eta_seconds", "eta_is_at_least", "eta_time"),
    steps=_STEP,
    actions=_ACTION,
    ranks=_RANK,
    lost=_fields("rank", "host", "pid", "time", "reason", "producer"),
    resumed=_fields("rank", "host", "pid", "time", "reason", "producer", "last", "heir"),
    completeness=_fields(
        *("status", "missing", "shed", "is_uncounted", "waiting", "waiting_count"),
        *("missing_count", "reasons"),
    ),
    quotas=_QUOTA,
)
_JOB = _fields(
    *("job_id", "status", "health", "parked", "damaged", "latest", "position", "age_seconds"),
    *("now_ms", "alive_beside", "attempt_count", "notes"),
    attempts=_ATTEMPT,
    quotas=_QUOTA,
)


def event(kind: str, found: dict[str, Any], line: bytes) -> bytes | None:
    """Return an event, read and as it came, as viewers get it: as it came, or less; None if not."""
    allowed = _EVENTS.get(kind)
    if allowed is None:
        return None
    if found.keys() <= allowed:
        return line
    return orjson.dumps({name: value for name, value in found.items() if name in allowed})


def job(found: dict[str, Any]) -> dict[str, Any]:
    """Return a run's state as viewers get it: the same object if they may have all of it."""
    seen: dict[str, Any] = _seen(found, _JOB)
    return seen


def _seen(found: Any, allowed: Any) -> Any:
    if allowed is _ALL:
        return found
    if isinstance(found, list):
        items = [_seen(item, allowed) for item in found]
        return found if all(map(_is_same, items, found)) else items
    if not isinstance(found, dict):
        return None  # something else stands there by now
    kept = {name: _seen(value, allowed[name]) for name, value in found.items() if name in allowed}
    is_whole = len(kept) == len(found) and all(map(_is_same, kept.values(), found.values()))
    return found if is_whole else kept


def _is_same(one: Any, other: Any) -> bool:
    return one is other
