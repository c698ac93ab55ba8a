"""From documents to what readers get: pure, and the only place that knows both."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import orjson

from consumers.folding.fold import position_in
from consumers.views.run_state import bounds, endings
from consumers.views.run_state.completing import Marked
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.overall import overall, plans, times
from synapse_stream.events.quotas import MOST_ACTIONS, MOST_STEPS
from synapse_stream.events.tags import restore
from synapse_stream.models import ActionStatus, RunStatus
from synapse_stream.ports.views import (
    ActionState,
    Attempt,
    Beside,
    LostProcess,
    Quota,
    RankState,
    ResumedProcess,
    RunState,
    StepState,
)
from synapse_stream.ports.views.quotas import NOTHING, nearly_used

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consumers.views.run_state.overall import Times


def run_state(job_id: str, document: bytes, beside: Beside = NOTHING) -> RunState | None:
    """Return the run state in a fold's document; None while nothing was folded.

    Args:
        job_id: whose it is.
        document: as `JobFold.document` of the projection run-state returned it.
        beside: what else is known of the job.
    """
    content = orjson.loads(document)
    view, producers = content["view"], content["ledger"]["producers"]
    number = latest_attempt(view)
    if number is None:
        return None
    marked = Marked(producers)
    attempts = {n: _attempt(n, view, marked, before) for n, before in in_order(view)}
    return RunState(
        job_id=job_id,
        position=position_in(content),
        attempts=[attempts[n] for n in sorted(attempts, key=int, reverse=True)],
        latest=attempts[number],
        attempt_count=count_of(view),
        parked=beside.parked,
        damaged=beside.damaged,
        quotas=(*quotas_of(view), *beside.quotas),
    )


def stored(job_id: str, document: bytes | None, beside: Beside) -> RunState | None:
    """Return the run state in a stored document, as `run_state`.

    None for one of another version that has another form: it is rebuilt.
    """
    document = document or b""
    try:
        return run_state(job_id, document, beside)
    except (AttributeError, KeyError, TypeError, ValueError):
        if orjson.loads(document)["v"] == RunStateView.version:
            raise
        return None


def latest_attempt(view: Mapping[str, Any]) -> str | None:
    """Return the number of the attempt that stands for the job: the latest that rank 0 has begun.

    Another rank may be ahead: it was started first, or it alone was started again.
    """
    numbers = sorted(view["attempts"], key=int, reverse=True)
    begun = [n for n in numbers if view["attempts"][n]["status"] != RunStatus.PENDING]
    return next(iter(begun or numbers), None)


def count_of(view: Mapping[str, Any]) -> int:
    """Return how many attempts there are, those that were dropped among them."""
    return len(view["attempts"]) + int(view["dropped"])


def quotas_of(view: Mapping[str, Any]) -> tuple[Quota, ...]:
    """Return the quotas of a job that are nearly used up."""
    most = bounds.MOST_ATTEMPTS
    ahead = sum(int(number) > bounds.standing(view["attempts"]) for number in view["attempts"])
    return nearly_used(
        Quota("attempts", count_of(view), most, view["dropped"]),
        Quota("attempts that rank 0 has not begun", ahead, most, view["ahead"]),
    )


def in_order(view: Mapping[str, Any]) -> Iterator[tuple[str, Times]]:
    """Yield the numbers of attempts, the first first, each with how long parts took before it.

    These are good until the next number is asked for.
    """
    before: dict[tuple[str, str], float] = {}
    for number in sorted(view["attempts"], key=int):
        yield number, before
        before.update(times(view["attempts"][number]))


def attempt_in_short(
    number: str, view: Mapping[str, Any], marked: Marked, before: Times
) -> Attempt:
    """Return an attempt without what only its own page shows: ranks, actions, losses and data."""
    run = view["attempts"][number]
    ending = _ending(run["ranks"].get("0"))
    steps = _steps([run["ranks"][rank]["bars"] for rank in sorted(run["ranks"], key=int)])
    whole = overall(run, before)
    return Attempt(
        number=int(number),
        status=RunStatus(run["status"]),
        error=run["error"],
        result=None,
        action=run["action"],
        plugin=run["plugin"],
        params=None,
        labels={},
        started=run["first"] if run["started"] is None else run["started"],
        ended=run["ended"],
        first_time=run["first"],
        last_time=run["last"],
        first_sign_ms=run["born"],
        last_sign_ms=run["sign"],
        overall_percent=whole.percent,
        overall_is_at_least=whole.is_at_least,
        eta_seconds=whole.eta_seconds,
        eta_is_at_least=whole.eta_is_at_least,
        eta_time=whole.eta_time,
        steps=steps + _announced(run, steps),
        actions=[],
        ranks=[],
        lost=[],
        resumed=[_resumed(one) for one in run["resumed"]],
        rejected=run["rejected"],
        is_ending=ending.get("how") == endings.ASKED,
        signal=ending.get("signal"),
        counts=run["counts"],
        levels=run["levels"],
        completeness=replace(marked.completeness(int(number)), reasons=run["reasons"]),
        quotas=_quotas(run),
    )


def _attempt(number: str, view: Mapping[str, Any], marked: Marked, before: Times) -> Attempt:
    run = view["attempts"][number]
    ranks = [(int(rank), run["ranks"][rank]) for rank in sorted(run["ranks"], key=int)]
    return replace(
        attempt_in_short(number, view, marked, before),
        result=restore(_ending(run["ranks"].get("0")).get("result")),
        params=restore(run["params"]),
        labels=restore(run["labels"]),
        actions=_actions([part["actions"] for _, part in ranks]),
        ranks=[_rank(rank, part) for rank, part in ranks],
        lost=[_lost(one) for one in run["lost"]],
    )


def _quotas(run: Mapping[str, Any]) -> tuple[Quota, ...]:
    """Return the quotas of an attempt that are nearly used up."""
    actions = max((len(part["actions"]) for part in run["ranks"].values()), default=0)
    used = {
        "steps": (len(run["overall"]["steps"]), MOST_STEPS),
        "actions": (actions, MOST_ACTIONS),
        "lost processes": (len(run["lost"]), bounds.MOST_LOST),
        "resumed processes": (len(run["resumed"]), bounds.MOST_LOST),
        bounds.BYTES: (run["weight"] * bounds.UNIT, bounds.MOST_WEIGHT * bounds.UNIT),
    }
    left_out = run["left_out"]
    return nearly_used(*(Quota(of, *found, left_out.get(of, 0)) for of, found in used.items()))


def _ending(part: dict[str, Any] | None) -> Mapping[str, Any]:
    return (part and endings.standing(part)) or {}


def _lost(one: Mapping[str, Any]) -> LostProcess:
    return LostProcess(
        one["rank"], one["host"], one["pid"], one["time"], one["reason"], one["producer"]
    )


def _resumed(one: Mapping[str, Any]) -> ResumedProcess:
    return ResumedProcess(
        one["rank"],
        *(one["host"], one["pid"], one["time"], one["reason"]),
        *(one["producer"], one["last"], one["heir"]),
    )


def _rank(rank: int, part: dict[str, Any]) -> RankState:
    ending = _ending(part)
    return RankState(
        rank=rank,
        status=RunStatus(part["status"]),
        is_lost=ending.get("how") == endings.LOST,
        is_ending=ending.get("how") == endings.ASKED,
        signal=ending.get("signal"),
        error=part["error"],
        started=part["started"],
        ended=part["ended"],
        host=part["host"],
        pid=part["pid"],
        python=part["python"],
        sdk=part["sdk"],
        last_sign_ms=part["sign"],
        steps=_steps([part["bars"]]),
        actions=_actions([part["actions"]]),
    )


def _steps(ranks: Sequence[Mapping[str, Any]]) -> list[StepState]:
    """Join the bars of ranks by step, in the order in which the steps began."""
    bars: dict[str, list[dict[str, Any]]] = {}
    for rank in ranks:
        for name, bar in rank.items():
            bars.setdefault(name, []).append(bar)
    order = sorted(bars, key=lambda name: (min(bar["first"] for bar in bars[name]), name))
    return [_step(name, bars[name]) for name in order]


def _announced(run: Mapping[str, Any], steps: Sequence[StepState]) -> list[StepState]:
    """Return the steps that were announced and have not begun; actions are shown as such."""
    known = {step.name or "" for step in steps}
    known.update(name for rank in run["ranks"].values() for name in rank["actions"])
    found = []
    for plan in plans(run).values():
        for name, (_, time) in plan.items():
            if name not in known:
                known.add(name)
                found.append(StepState(name or None, None, None, 0.0, time, time, None, None))
    return found


def _step(name: str, bars: Sequence[Mapping[str, Any]]) -> StepState:
    read = [bar for bar in bars if bar["current"] is not None]
    timed = [bar for bar in read if bar["seconds"] > 0]
    left = [(bar["total"] - bar["current"], bar["units"] / bar["seconds"]) for bar in timed]
    is_known = len(timed) == len(bars) and all(rate > 0 or rest == 0 for rest, rate in left)
    return StepState(
        name=name or None,
        current=sum(bar["current"] for bar in read) if read else None,
        total=sum(bar["total"] for bar in read) if read else None,
        percent=sum(_percent(bar["current"], bar["total"]) for bar in read) / len(bars),
        started=min(bar["started"] for bar in bars),
        updated=max(bar["updated"] for bar in bars),
        rate=sum(rate for _, rate in left) if left else None,
        eta_seconds=max(rest / rate if rest else 0.0 for rest, rate in left) if is_known else None,
        is_failed=any(bar["failed"] for bar in bars),
        error=next((bar["error"] for bar in bars if bar["error"] is not None), None),
    )


def _percent(current: float, total: float) -> float:
    percent = 100.0 * current / total  # in this order 7 of 100 is 7, not 7.000000000000001
    return percent if isfinite(percent) else 100.0 * (current / total)


def _actions(ranks: Sequence[Mapping[str, Any]]) -> list[ActionState]:
    """Return each action as the lowest rank that reported it has it, in the order of naming."""
    actions: dict[str, Mapping[str, Any]] = {}
    for rank in ranks:
        for name, action in rank.items():
            actions.setdefault(name, action)
    order = sorted(actions, key=lambda name: (actions[name]["first"], actions[name]["place"]))
    return [
        ActionState(
            name,
            ActionStatus(actions[name]["status"]),
            actions[name]["started"],
            actions[name]["ended"],
            actions[name]["error"],
        )
        for name in order
    ]
