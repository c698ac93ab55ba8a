"""How runs differ: params, labels, environment and metrics, only what is not the same. Pure."""

from __future__ import annotations

import re
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.ports.views import Attempt, RunState, SeriesSummary, Views

MOST_RUNS = 50
MOST_METRICS = 1_000
_DEEPEST = 8
_LOW = re.compile(r"loss|err|mae\b|mse\b|rmse|perplex|ppl|latenc|seconds|duration", re.IGNORECASE)
_HIGH = re.compile(
    r"acc|auc|f1|precision|recall|\bm?ap\b|iou|bleu|roug|score|r2\b|reward", re.IGNORECASE
)


class Row(NamedTuple):
    """What runs have in one respect, in their order; None: that run has nothing there."""

    kind: str
    """run, params, labels, environment or metrics."""
    name: str
    values: Sequence[Any]
    best: Sequence[int] = ()
    """Numbers of the runs with the best value, where its name says whether low or high is good."""


class Compared(NamedTuple):
    """Runs side by side."""

    jobs: Sequence[str]
    rows: Sequence[Row]
    """Only of what differs."""
    alike: int
    """In how many respects more all of them are the same."""


def compare(views: Views, job_ids: Sequence[str]) -> Compared | str:
    """Compare the latest attempts of jobs; return the id of one that is not known.

    Of a metric its best value is compared, lowest or highest as its name says, else its last one;
    of several ranks that of the lowest rank.
    """
    states = []
    for job_id in job_ids:
        state = views.state(job_id)
        if state is None:
            return job_id
        states.append(state)
    rows = [
        *_rows("run", [_facts(state) for state in states]),
        *_rows("params", [flat(state.latest.params) for state in states]),
        *_rows("labels", [flat(dict(state.latest.labels)) for state in states]),
        *_rows("environment", [_environment(state.latest) for state in states]),
        *map(_marked, _rows("metrics", [_metrics(views, state) for state in states])),
    ]
    differing = [row for row in rows if any(value != row.values[0] for value in row.values[1:])]
    return Compared(job_ids, differing, len(rows) - len(differing))


def flat(value: Any, prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Return what lies in objects under names with dots: `optimizer.lr`."""
    if not isinstance(value, dict) or not value or depth >= _DEEPEST:
        return {prefix: value} if prefix else {}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= flat(inner, f"{prefix}.{name}" if prefix else str(name), depth + 1)
    return found


def _facts(state: RunState) -> dict[str, Any]:
    run = state.latest
    return {
        "status": str(run.status),
        "action": run.action,
        "plugin": run.plugin,
        "attempt": run.number,
        "ranks": len(run.ranks),
        "duration": run.duration_seconds,
        "error": (run.error or "").partition("\n")[0] or None,
    }


def _environment(run: Attempt) -> dict[str, Any]:
    first = next((rank for rank in run.ranks if rank.rank == 0), None)
    if first is None:
        return {}
    return {"host": first.host, "python": first.python, **first.sdk}


def _metrics(views: Views, state: RunState) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in views.series(state.job_id, attempt=state.latest.number, limit=MOST_METRICS):
        name = f"{one.key.step}: {one.key.name}" if one.key.step else one.key.name
        found.setdefault(name, _value(one))
    return found


def _value(one: SeriesSummary) -> float:
    best = {-1: one.minimum, 1: one.maximum}.get(direction(one.key.name))
    return one.last if best is None else best


def direction(name: str) -> int:
    """Return -1 if low values of a metric are good, by its name, 1 if high ones are, else 0."""
    is_low, is_high = _LOW.search(name), _HIGH.search(name)
    return 0 if bool(is_low) == bool(is_high) else -1 if is_low else 1


def _rows(kind: str, of_runs: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = dict.fromkeys(name for one in of_runs for name in one)
    return [Row(kind, name, [one.get(name) for one in of_runs]) for name in names]


def _marked(row: Row) -> Row:
    known = [value for value in row.values if value is not None and not isnan(value)]
    good = direction(row.name.rpartition(": ")[2])
    if not good or not known:
        return row
    best = max(known) if good > 0 else min(known)
    return row._replace(best=[n for n, value in enumerate(row.values) if value == best])
