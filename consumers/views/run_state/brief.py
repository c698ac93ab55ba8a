"""What a list shows of a job whose document is large: little, whatever the job has.

It is read as a run state of the latest attempt without its ranks, steps, actions, parameters and
result, with the first labels, and other attempts only where they are alive.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import orjson

from consumers.views.run_state import endings, reading
from consumers.views.run_state.completing import Marked
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.position import Position
from synapse_stream.events.tags import restore
from synapse_stream.models import RunStatus
from synapse_stream.ports.views import (
    Attempt,
    Completeness,
    CompletenessStatus,
    Quota,
    ResumedProcess,
    RunState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumers.views.run_state.overall import Times

_MOST_BESIDE = 10
_MOST_LABELS = 20
_MOST_RANGES = 20
_MOST_NAMED = 10
_LONGEST_LABEL = 200
_LONGEST_ERROR = 2_000


def write(content: Mapping[str, Any]) -> bytes | None:
    """Return what is shown of a fold's document; None while nothing was folded."""
    attempts = content["view"]["attempts"]
    number = reading.latest_attempt(content["view"])
    if number is None:
        return None
    marked = Marked(content["ledger"]["producers"])
    born = attempts[number]["born"]
    beside = [
        n for n, run in attempts.items() if n != number and run["sign"] > born and not _is_over(run)
    ]
    shown = [number, *sorted(beside, key=int, reverse=True)[:_MOST_BESIDE]]
    made = {
        n: _attempt(n, content["view"], marked, before)
        for n, before in reading.in_order(content["view"])
        if n in shown
    }
    return orjson.dumps(
        {
            "v": RunStateView.version,
            "position": content["position"] or [0, 0],
            "count": reading.count_of(content["view"]),
            "quotas": reading.quotas_of(content["view"]),
            "attempts": [made[n] for n in shown],
        }
    )


def read(job_id: str, text: bytes, parked: int = 0) -> RunState | None:
    """Return what `write` returned as a run state; None for one of another version."""
    content = orjson.loads(text)
    if content["v"] != RunStateView.version:
        return None
    attempts = [_read(one) for one in content["attempts"]]
    return RunState(
        job_id=job_id,
        position=Position(*content["position"]),
        attempts=sorted(attempts, key=lambda one: one.number, reverse=True),
        latest=attempts[0],
        attempt_count=content["count"],
        parked=parked,
        quotas=tuple(Quota(**one) for one in content["quotas"]),
    )


def _attempt(number: str, view: Mapping[str, Any], marked: Marked, before: Times) -> dict[str, Any]:
    found = reading.attempt_in_short(number, view, marked, before)
    completeness = found.completeness
    ranges = [(name, pair) for name, pairs in completeness.missing.items() for pair in pairs]
    missing: dict[str, list[Any]] = {}
    for name, pair in ranges[:_MOST_RANGES]:
        missing.setdefault(name, []).append(pair)
    short = replace(
        found,
        error=found.error and found.error[:_LONGEST_ERROR],
        steps=[],
        resumed=found.resumed[:_MOST_NAMED],
        labels=_labels(view["attempts"][number]["labels"]),
        completeness=replace(
            completeness, missing=missing, waiting=completeness.waiting[:_MOST_NAMED]
        ),
    )
    return {one.name: getattr(short, one.name) for one in fields(short)}


def _is_over(run: Mapping[str, Any]) -> bool:
    first = run["ranks"].get("0")
    is_asked = first is not None and endings.is_asked(first)
    return RunStatus(run["status"]).is_terminal and not is_asked


def _labels(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first labels as they are written; of a long one that there is more."""
    return {
        name[:_LONGEST_LABEL]: value if len(orjson.dumps(value)) <= _LONGEST_LABEL else "…"
        for name, value in list(labels.items())[:_MOST_LABELS]
    }


def _read(one: dict[str, Any]) -> Attempt:
    completeness = one["completeness"]
    missing = {
        name: [(a, b) for a, b in ranges] for name, ranges in completeness["missing"].items()
    }
    status = CompletenessStatus(completeness["status"])
    made = {
        "status": RunStatus(one["status"]),
        "labels": restore(one["labels"]),
        "resumed": [ResumedProcess(**resumed) for resumed in one["resumed"]],
        "quotas": tuple(Quota(**quota) for quota in one["quotas"]),
        "completeness": Completeness(**{**completeness, "status": status, "missing": missing}),
    }
    return Attempt(**{**one, **made})
