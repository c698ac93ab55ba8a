"""What the Synapse SDK sends to its backend, as reports. Pure.

It gives its log entries neither an id nor a number, and sends some again, with newer ones behind
them. So an entry is known by what it says, its time in microseconds among it, and by which of equal
ones in its request it is. Progress and metrics come as whole snapshots: what counts is what is
other than before.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import isfinite
from typing import Any, NamedTuple

import orjson

from synapse_stream.events import rules
from synapse_stream.events.joblog import event_of
from synapse_stream.events.plain import as_text

STATUSES = {"SUCCEEDED": "completed", "FAILED": "failed", "STOPPED": "cancelled"}
"""How the backend calls the ends of a job."""

_RECORDS = frozenset({"status", "progress_record", "metrics_record", "result"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY_BYTES = 16
_WHOLE = 100.0


class Report(NamedTuple):
    """One event to be recorded."""

    kind: str
    step: str | None
    fields: dict[str, Any]
    time_us: int | None = None
    """None: now."""
    key: bytes | None = None
    """By which it is known again."""


class Snapshot(NamedTuple):
    """How far a job was when it was told last."""

    steps: dict[str, float]
    """Percent by step; no step is the empty one."""
    metrics: dict[str, dict[str, float]]


def parse(body: bytes) -> Any:
    """Return what a request holds; numbers that are not finite come bare.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def entries_in(content: Any) -> list[dict[str, Any]]:
    """Return the log entries of a request: a list, or one alone.

    Raises:
        ValueError: one is none, or does not say whose it is.
    """
    found = content if isinstance(content, list) else [content]
    if all(isinstance(one, dict) and isinstance(one.get("job"), str | int) for one in found):
        return found
    msg = "each entry is an object with `event`, `data` and `job`, in a list or alone"
    raise ValueError(msg)


def reports_of(entries: list[dict[str, Any]]) -> list[Report]:
    """Return log entries as reports, each with its key."""
    seen: Counter[bytes] = Counter()
    found = []
    for entry in entries:
        said = json.dumps(entry, sort_keys=True, ensure_ascii=False).encode(errors="replace")
        number = seen[said]
        seen[said] += 1
        found += _entry(entry, key_of(said, b"%d" % number))
    return found


def key_of(*parts: bytes) -> bytes:
    """Return what something is known by."""
    return sha256(b"\n".join(parts)).digest()[:_KEY_BYTES]


def changes(content: dict[str, Any], before: Snapshot) -> tuple[list[Report], Snapshot]:
    """Return what is new in the snapshots of a request, and how far the job is with that."""
    steps = {**before.steps, **_percents(_record(content, "progress_record"))}
    found = [
        Report("progress", step or None, {"current": percent, "total": _WHOLE})
        for step, percent in steps.items()
        if before.steps.get(step) != percent
    ]
    metrics = dict(before.metrics)
    for step, values in _numbers(_record(content, "metrics_record")).items():
        known = metrics.get(step, {})
        new = {
            name: value for name, value in values.items() if not _is_same(value, known.get(name))
        }
        if new:
            found.append(Report("metrics", step or None, {"values": new}))
            metrics[step] = {**known, **new}
    return found, Snapshot(steps, metrics)


def remarks(content: dict[str, Any]) -> list[Report]:
    """Return what else a request to change a job says."""
    return [
        Report("log", None, {"event": as_text(name), "data": _mapping(value), "level": "info"})
        for name, value in content.items()
        if name not in _RECORDS
    ]


def ending(status: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the end that a request tells."""
    result = content.get("result")
    error = None
    if status != STATUSES["SUCCEEDED"] and isinstance(result, dict) and "error" in result:
        error, result = as_text(result["error"]), None
    fields = {"status": status, "error": error, "result": result or None}
    return {name: value for name, value in fields.items() if value is not None}


def _entry(entry: dict[str, Any], key: bytes) -> list[Report]:
    data, at = _mapping(entry.get("data")), _time(entry.get("datetime"))
    kind, step, fields = event_of(
        entry.get("event"), entry.get("level"), data, entry.get("file"), entry.get("step")
    )
    if kind == "metrics":
        wrong: list[rules.Wrong] = []
        fields = rules.metrics(fields["value"], fields.get("x"), wrong)
        if wrong:
            kind, fields = "log", {"event": "metric", "data": data, "level": "info"}
    found = [Report(kind, step, fields, at, key)]
    if entry.get("event") == "joblog_loss":
        found.append(Report("loss", None, _loss(data), at))
    return found


def _loss(data: dict[str, Any]) -> dict[str, Any]:
    """Return what the SDK's log says that it lost; of what nobody confirmed it does not know."""
    lost = sum(_count(data.get(name)) for name in ("dropped", "unsent"))
    unconfirmed = _count(data.get("delivery_unconfirmed"))
    reason = "the log of the Synapse SDK lost entries"
    if unconfirmed:
        reason += f"; of {unconfirmed} more it does not know whether they came"
    counts = {"log": lost} if lost else {}
    return {"counts": counts, "reason": reason, **({"uncounted": True} if unconfirmed else {})}


def _record(content: dict[str, Any], name: str) -> dict[str, Any]:
    whole = content.get(name)
    record = whole.get("record") if isinstance(whole, dict) else None
    return record if isinstance(record, dict) else {}


def _parts(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the record of each step, and what is of none."""
    steps = record.get("steps")
    found = steps if isinstance(steps, dict) else {}
    rest = {name: value for name, value in record.items() if name != "steps"}
    return {name: part for name, part in {**found, "": rest}.items() if isinstance(part, dict)}


def _percents(record: dict[str, Any]) -> dict[str, float]:
    found: dict[str, Any] = {n: part.get("percent") for n, part in _parts(record).items()}
    return {
        name: min(max(float(percent), 0.0), _WHOLE)
        for name, percent in found.items()
        if _is_number(percent) and isfinite(percent)
    }


def _numbers(record: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        step: {name: float(value) for name, value in part.items() if _is_number(value)}
        for step, part in _parts(record).items()
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_same(one: float, other: float | None) -> bool:
    return other is not None and (one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}


def _time(text: Any) -> int | None:
    try:
        time = datetime.fromisoformat(text)
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        return (time - _EPOCH) // timedelta(microseconds=1)
    except (TypeError, ValueError):
        return None
