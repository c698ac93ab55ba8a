"""How a run state's document lays out attempts and ranks, before anything is known of them."""

from __future__ import annotations

from typing import Any

from consumers.views.run_state import bounds, progress
from synapse_stream.models import RunStatus

Part = dict[str, Any]


def begin_run(time: int, ms: int) -> Part:
    """Return an attempt that has an event at `time`, which the server had at `ms`."""
    return {
        "status": RunStatus.PENDING.value,
        "error": None,
        "action": None,
        "plugin": None,
        "params": None,
        "labels": {},
        "started": None,
        "ended": None,
        "first": time,
        "last": time,
        "born": ms,
        "sign": 0,
        "overall": progress.begin_overall(),
        "ranks": {},
        "lost": [],
        "resumed": [],
        "rejected": 0,
        "counts": {},
        "levels": {},
        "reasons": {},
        "weight": 0,
        "left_out": {},
    }


def part_of_rank(run: Part, rank: int) -> Part | None:
    """Return the part of one rank, new if it is met for the first time; None if there are too many.

    Rank 0, as which the attempt stands, always has one.
    """
    try:
        return run["ranks"][str(rank)]  # type: ignore[no-any-return]
    except KeyError:
        if not bounds.take(run, bounds.RANK) and rank:
            return None
        part: Part = {
            "status": RunStatus.PENDING.value,
            "error": None,
            "started": None,
            "ended": None,
            "leave": None,
            "ends": [],
            "host": None,
            "pid": None,
            "python": None,
            "sdk": {},
            "sign": 0,
            "bars": {},
            "actions": {},
            "within": None,
            "plan": {},
        }
        run["ranks"][str(rank)] = part
        return part
