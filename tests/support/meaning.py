"""What filters and orders mean, run by run: what the store finds by SQL must be the same."""

from __future__ import annotations

import operator
import re
from math import isnan
from typing import TYPE_CHECKING, Any

from synapse_stream.ports.filters.facts import LONGEST_TEXT, Fact, facts
from synapse_stream.ports.filters.fingerprints import fingerprint
from synapse_stream.ports.filters.language import Both, Not

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_stream.ports.filters.fields import Field
    from synapse_stream.ports.filters.language import Comparison, Filter
    from synapse_stream.ports.views import RunState, SeriesSummary

    Series = Callable[[str], Sequence[SeriesSummary]]
    """Name of a metric → its series of the run's latest attempt."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def fact_of(state: RunState, field: Field, series: Series) -> Fact | None:
    """Return what a run has in a field; None if nothing. Times are µs, a duration is in seconds."""
    run = state.latest
    if field.kind == "metrics":
        number = _stat(series(field.path[0]), field.kept)
        return None if number is None else Fact("", None if isnan(number) else number, False)
    numbers = {
        "attempt": run.number,
        "events": run.events,
        "percent": run.overall_percent,
        "duration": run.duration_seconds,
        "started": run.started,
        "ended": run.ended,
    }
    if field.name in numbers:
        found = numbers[field.name]
        return None if found is None else Fact("", found, False)
    if field.name == "status":
        return Fact(str(run.status), None, True)
    named = {"job": state.job_id, "action": run.action, "plugin": run.plugin, "error": run.error}
    named["fingerprint"] = fingerprint(run.error) if run.error else None
    return facts(named, run.labels, run.params).get(field.name)


def matches(state: RunState, part: Filter | None, series: Series) -> bool:
    """Tell whether a run is what the filter wants."""
    if part is None:
        return True
    if isinstance(part, Not):
        return not matches(state, part.part, series)
    if isinstance(part, Both):
        held = [matches(state, one, series) for one in part.parts]
        return any(held) if part.is_any else all(held)
    found = fact_of(state, part.field, series)
    return found is not None and _holds(found, part)


def order(found: Fact | None) -> tuple[int, float, str]:
    """Return what to sort by: numbers before texts, then what is no number, or not there."""
    if found is None or (found.number is None and not found.text):
        return (2, 0.0, "") if found is None or not found.is_text else (1, 0.0, "")
    return (1, 0.0, found.text) if found.number is None else (0, found.number, "")


def in_order(runs: Sequence[tuple[RunState, Fact | None]], *, descending: bool) -> list[RunState]:
    """Return runs, given the newest first, in an order."""
    keys = [(order(fact), state) for state, fact in runs]
    found = []
    for kind in (0, 1, 2):
        of_kind = [(key, state) for key, state in keys if key[0] == kind]
        of_kind.sort(key=lambda pair: pair[0], reverse=descending)
        if descending:  # of equal ones the newest first, still
            values = list(dict.fromkeys(key for key, _ in of_kind))
            of_kind = [pair for value in values for pair in keys if pair[0] == value]
        found += [state for _, state in of_kind]
    return found


def _stat(found: Sequence[SeriesSummary], stat: str) -> float | None:
    """Return the lowest, the highest or the last value; of several series the last of the first."""
    if stat == "last":
        return found[0].last if found else None
    if stat == "min":
        return min((one.minimum for one in found if one.minimum is not None), default=None)
    return max((one.maximum for one in found if one.maximum is not None), default=None)


def _holds(found: Fact, comparison: Comparison) -> bool:
    sign, values = comparison.operator, comparison.values
    if sign == "IN":
        return any(_compare(found, "=", value) for value in values)
    if sign in {"LIKE", "ILIKE"}:
        return _like(found.text, str(values[0]), is_exact=sign == "LIKE")
    return _compare(found, sign, values[0])


def _compare(found: Fact, sign: str, value: Any) -> bool:
    if isinstance(value, str):
        return _OPERATORS[sign](found.text, value[:LONGEST_TEXT])
    return sign == "!=" if found.number is None else _OPERATORS[sign](found.number, value)


def _like(text: str, pattern: str, *, is_exact: bool) -> bool:
    if not is_exact:
        text, pattern = text.lower(), pattern.lower()
    parts = [{"%": ".*", "_": "."}.get(one, re.escape(one)) for one in re.sub("%+", "%", pattern)]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
