"""Progress of a run's steps: rate, and one honest percentage over all of them.

A *bar* is what one rank reports of one step. A step's share is the mean of its ranks' shares, the
run's the mean of its steps' shares, in parts of a billion, so that sums are exact in any order. The
run's share never falls back when a step is new or its total grows, only when the plugin begins a
step again: when a bar's current goes down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.folding import checks

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_STEPS = 1_000
WHOLE = 1_000_000_000

_MEMORY_SECONDS = 30.0
"""How long a report weighs in the rate, roughly."""


def begin_overall() -> dict[str, Any]:
    """Return the overall progress of a run that has reported none."""
    return {"steps": {}, "sum": 0, "shown": 0, "left_out": 0}


def report(overall: dict[str, Any], bars: dict[str, Any], event: Mapping[str, Any]) -> None:
    """Apply one `progress` event of a rank that has these `bars`.

    Raises:
        Unfit: the event is no progress; nothing was changed.
    """
    checks.version_one(event)
    step = checks.step(event)
    failed = checks.flag(event, "failed")
    error = checks.text(event, "error")
    is_bare = failed and event.get("current") is None and event.get("total") is None
    current, total = (None, None) if is_bare else _range(event)
    bar = bars.get(step)
    if bar is None:
        if step not in overall["steps"] and len(overall["steps"]) >= MOST_STEPS:
            overall["left_out"] += 1
            return
        bar = bars[step] = _begin_bar(event["time"])
        overall["steps"].setdefault(step, [0, 0])
        _move(overall, step, 1, 0)
    restarted = False
    if current is not None and total is not None:
        restarted = _advance(bar, current, total, event["time"])
        share = int(current / total * WHOLE)
        _move(overall, step, 0, share - bar["share"])
        bar["share"] = share
    bar["updated"] = event["time"]
    bar["failed"] = failed
    bar["error"] = error
    now = overall["sum"] // len(overall["steps"])
    overall["shown"] = now if restarted else max(overall["shown"], now)


def _range(event: Mapping[str, Any]) -> tuple[float, float]:
    current, total = checks.number(event, "current"), checks.number(event, "total")
    if total > 0 and 0 <= current <= total:
        return current, total
    msg = f"current={current}, total={total} is not possible; expected 0 <= current <= total > 0"
    raise checks.Unfit(msg)


def _begin_bar(time: int) -> dict[str, Any]:
    return {
        "first": time,
        "started": time,
        "updated": time,
        "read": time,
        "current": None,
        "total": None,
        "share": 0,
        "units": 0.0,
        "seconds": 0.0,
        "failed": False,
        "error": None,
    }


def _advance(bar: dict[str, Any], current: float, total: float, time: int) -> bool:
    """Take a new reading; return True when the step begins again."""
    before, read = bar["current"], bar["read"]
    bar["current"], bar["total"], bar["read"] = current, total, time
    if before is None:
        bar["started"] = time
        return False
    if current < before:
        bar["started"] = time
        bar["units"] = bar["seconds"] = 0.0
        return True
    seconds = max(0, time - read) / 1e6
    # Not exp(): its last digit differs between C libraries, and documents must not.
    kept = _MEMORY_SECONDS / (_MEMORY_SECONDS + seconds)
    bar["seconds"] = bar["seconds"] * kept + seconds
    bar["units"] = bar["units"] * kept + (current - before)
    return False


def _move(overall: dict[str, Any], step: str, ranks: int, share: int) -> None:
    tally = overall["steps"][step]
    before = tally[1] // tally[0] if tally[0] else 0
    tally[0] += ranks
    tally[1] += share
    overall["sum"] += tally[1] // tally[0] - before
