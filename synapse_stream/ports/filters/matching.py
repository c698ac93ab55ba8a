"""What a run has in a field, and whether it is what a filter wants: pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.ports.filters.language import Both, Comparison, Field, Filter, FilterError, Not

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_stream.ports.views import RunState, SeriesSummary

    Series = Callable[[str], Sequence[SeriesSummary]]
    """Name of a metric → its series of the run's latest attempt."""

_TIMES = frozenset({"started", "ended"})
_AGO = re.compile(r"-(\d+(?:\.\d+)?)(s|min|m|h|d)")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def value_of(state: RunState, field: Field, series: Series) -> Any:
    """Return what a run has in a field; None if nothing. Times are µs, a duration is in seconds."""
    if field.kind == "metrics":
        return _stat(series(field.path[0]), field.stat)
    run = state.latest
    if field.kind == "run":
        name = field.path[0]
        plain = {
            "job": state.job_id,
            "status": str(run.status),
            "owner": run.labels.get("owner"),
            "attempt": run.number,
            "percent": run.overall_percent,
            "duration": run.duration_seconds,
        }
        return plain[name] if name in plain else getattr(run, name)
    found: Any = run.labels if field.kind == "labels" else run.params
    path = ".".join(field.path)
    if isinstance(found, dict) and path in found:  # a name that holds a dot
        return found[path]
    for name in field.path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def matches(state: RunState, part: Filter | None, series: Series, now_us: int) -> bool:
    """Tell whether a run is what the filter wants; `now_us` is for times such as '-2h'."""
    if part is None:
        return True
    if isinstance(part, Not):
        return not matches(state, part.part, series, now_us)
    if isinstance(part, Both):
        held = (matches(state, one, series, now_us) for one in part.parts)
        return any(held) if part.is_any else all(held)
    found = value_of(state, part.field, series)
    return found is not None and _holds(found, part, now_us)


def order(value: Any) -> tuple[int, float, str]:
    """Return what to sort a value by: numbers before texts, and what cannot be compared last."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return (2, 0.0, "") if value is None else (1, 0.0, _text(value))
    return (2, 0.0, "") if isnan(value) else (0, float(value), "")


def _stat(found: Sequence[SeriesSummary], stat: str) -> float | None:
    """Return the lowest, the highest or the last value; of several series the last of the first."""
    if stat == "last":
        return found[0].last if found else None
    if stat == "min":
        return min((one.minimum for one in found if one.minimum is not None), default=None)
    return max((one.maximum for one in found if one.maximum is not None), default=None)


def _holds(found: Any, comparison: Comparison, now_us: int) -> bool:
    operator, values = comparison.operator, comparison.values
    if comparison.field.kind == "run" and comparison.field.path[0] in _TIMES:
        values = tuple(moment(value, now_us) for value in values)
    if operator == "IN":
        return any(_compare(found, "=", value) for value in values)
    if operator in {"LIKE", "ILIKE"}:
        return _like(_text(found), str(values[0]), is_exact=operator == "LIKE")
    return _compare(found, operator, values[0])


def _compare(found: Any, operator: str, value: Any) -> bool:
    if isinstance(value, (int, float)):
        number = _number(found)
        if number is None:
            return operator == "!="
        return _hold(number, operator, value)
    return _hold(_text(found), operator, value)


def _hold(one: Any, operator: str, other: Any) -> bool:
    found: bool = {
        "=": one == other,
        "!=": one != other,
        "<": one < other,
        "<=": one <= other,
        ">": one > other,
        ">=": one >= other,
    }[operator]
    return found


def _number(found: Any) -> float | None:
    if isinstance(found, bool):
        return None
    if isinstance(found, (int, float)):
        return float(found) if isinstance(found, float) or abs(found) < 2**1023 else None
    try:
        number = float(found)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def _text(found: Any) -> str:
    if isinstance(found, str):
        return found
    try:
        return orjson.dumps(found).decode()
    except TypeError:
        return str(found)


def _like(text: str, pattern: str, *, is_exact: bool) -> bool:
    if not is_exact:
        text, pattern = text.lower(), pattern.lower()
    parts = [{"%": ".*", "_": "."}.get(one, re.escape(one)) for one in re.sub("%+", "%", pattern)]
    return re.fullmatch("".join(parts), text[:10_000], re.DOTALL) is not None


def moment(value: float | str, now_us: int) -> int:
    """Return a time in µs since the epoch: a number of them, '-2h' before now, or an ISO 8601 text.

    Raises:
        FilterError: it is none.
    """
    if isinstance(value, float):
        return int(value)
    ago = _AGO.fullmatch(value)
    if ago is not None:
        return int(now_us - float(ago[1]) * _UNITS[ago[2]] * 1e6)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        msg = f"{value!r} is no time; expected one such as '-2h' or '2026-11-25T12:00:00Z'"
        raise FilterError(msg) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1e6)
