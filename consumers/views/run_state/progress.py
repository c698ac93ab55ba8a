"""Progress of a run's steps, as it is folded: a bar a step and rank, and what was announced.

A *bar* is what one rank reports of one step. It belongs to the action that the rank is in: a step
that is reported in the next action begins again there. How far the run is as a whole is made of
bars, actions and announcements when it is read (`overall`), so nothing of it is kept here.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from consumers.folding import checks
from consumers.views.run_state import bounds
from synapse_stream.events.quotas import MOST_STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMORY_SECONDS = 30.0
"""How long a report weighs in the rate, roughly."""


def begin_overall() -> dict[str, Any]:
    """Return what is known of a run's steps when none was reported."""
    return {"steps": {}}


def report(run: dict[str, Any], rank: dict[str, Any], event: Mapping[str, Any]) -> None:
    """Apply one `progress` event of a rank of the attempt `run`.

    Raises:
        Unfit: the event is no progress; nothing was changed.
    """
    checks.version_one(event)
    step = checks.step(event)
    failed = checks.flag(event, "failed")
    error = bounds.short(checks.text(event, "error"))
    is_bare = failed and event.get("current") is None and event.get("total") is None
    current, total = (None, None) if is_bare else _range(event)
    overall, bar = run["overall"], rank["bars"].get(step)
    if bar is None:
        if step not in overall["steps"] and len(overall["steps"]) >= MOST_STEPS:
            bounds.leave_out(run, "steps")
            return
        if not bounds.take(run, bounds.BAR + len(step) // bounds.UNIT):
            bounds.leave_out(run)
            return
        bar = rank["bars"][step] = _begin_bar(event["time"])
        overall["steps"].setdefault(step, 0)
    if current is not None and total is not None:
        _advance(rank, bar, current, total, event["time"])
    bar["action"] = rank["within"]
    bar["updated"] = event["time"]
    bar["failed"] = failed
    bar["error"] = bounds.fitting(run, bar, "error", error)


def plan(
    run: dict[str, Any], rank: dict[str, Any], event: Mapping[str, Any], *, is_late: bool
) -> None:
    """Apply one `plan` event of a rank of the attempt `run`: steps that will come.

    They are those of the action that the rank is in, or of the run. What is announced again gets
    its new weight; a late event changes none.

    Raises:
        Unfit: the event is no plan; nothing was changed.
    """
    checks.version_one(event)
    named = checks.mapping(event, "steps")
    for step, weight in named.items():
        checks.name({"step": step}, "step")
        if weight is not None and not _is_weight(weight):
            raise checks.unfit("a weight", weight, "a number above 0, or null")
    steps = rank["plan"].setdefault(rank["within"] or "", {})
    for step, weight in named.items():
        if step in steps:
            if not is_late:
                steps[step][0] = weight
        elif sum(map(len, rank["plan"].values())) >= MOST_STEPS:
            bounds.leave_out(run, "steps")
        elif not bounds.take(run, bounds.BAR + len(step) // bounds.UNIT):
            bounds.leave_out(run)
        else:
            steps[step] = [weight, event["time"]]


def _is_weight(value: Any) -> bool:
    return type(value) in {int, float} and isfinite(value) and value > 0


def _range(event: Mapping[str, Any]) -> tuple[float, float]:
    current, total = checks.number(event, "current"), checks.number(event, "total")
    if total > 0 and 0 <= current <= total:
        return current, total
    msg = f"current={current}, total={total} is not possible; expected 0 <= current <= total > 0"
    raise checks.Unfit(msg)


def _begin_bar(time: int) -> dict[str, Any]:
    return {
        "first": time,
        "action": None,
        "started": time,
        "begun": time,
        "from": 0,
        "updated": time,
        "read": time,
        "current": None,
        "total": None,
        "units": 0.0,
        "seconds": 0.0,
        "failed": False,
        "error": None,
    }


def _advance(
    rank: dict[str, Any], bar: dict[str, Any], current: float, total: float, time: int
) -> None:
    """Take a new reading; one below the last, or in another action, begins the step again."""
    before, read = bar["current"], bar["read"]
    is_first = before is None or current < before or bar["action"] != rank["within"]
    if is_first:
        bar["started"] = time
        bar["units"] = bar["seconds"] = 0.0
        # Done at once: it took what passed since the report before. Else counting begins here.
        is_done = current == total
        bar["from"], bar["begun"] = (0, _free_since(rank, time)) if is_done else (current, time)
    else:
        if before == bar["from"] and current > before:  # it was named before, and moves only now
            read = bar["begun"] = max(bar["begun"], _free_since(rank, time))
        seconds = max(0, time - read) / 1e6
        # Not exp(): its last digit differs between C libraries, and documents must not.
        kept = _MEMORY_SECONDS / (_MEMORY_SECONDS + seconds)
        bar["seconds"] = bar["seconds"] * kept + seconds
        bar["units"] = bar["units"] * kept + (current - before)
    bar["current"], bar["total"], bar["read"] = current, total, time


def _free_since(rank: dict[str, Any], time: int) -> int:
    """Return when the rank last reported on a step, or started: since then it does the next."""
    read = [bar["updated"] for bar in rank["bars"].values() if bar["current"] is not None]
    return min(time, max(read, default=time if rank["started"] is None else rank["started"]))
