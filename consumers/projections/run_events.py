"""What each type of event says about its attempt: the rules of the run state, one function a type.

Every rule checks the whole event before it changes anything, so an event that is refused leaves no
trace. `run` is the attempt's part of the document, `rank` that of the delivery's rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.projections import checks, progress
from synapse_stream.models import ActionStatus, LogLevel, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Part = dict[str, Any]

_MOST_ACTIONS = 1_000
_MOST_LOST = 100

_LEVELS = [level.value for level in LogLevel]
_ENDINGS = [status.value for status in RunStatus if status.is_terminal]
_ACTIONS = [status.value for status in ActionStatus]
_IN_PROGRESS = {"pending", "running"}


def begin_run(time: int) -> Part:
    """Return an attempt of which nothing is known but that it has an event at `time`."""
    return {
        "status": RunStatus.PENDING.value,
        "error": None,
        "result": None,
        "action": None,
        "plugin": None,
        "params": None,
        "labels": {},
        "started": None,
        "ended": None,
        "first": time,
        "last": time,
        "sign": 0,
        "overall": progress.begin_overall(),
        "ranks": {},
        "lost": [],
        "counts": {},
        "levels": {},
    }


def part_of_rank(run: Part, rank: int) -> Part:
    """Return the part of one rank, new if it is met for the first time."""
    try:
        return run["ranks"][str(rank)]  # type: ignore[no-any-return]
    except KeyError:
        part = run["ranks"][str(rank)] = {
            "status": RunStatus.PENDING.value,
            "is_lost": False,
            "error": None,
            "started": None,
            "ended": None,
            "host": None,
            "pid": None,
            "python": None,
            "sdk": {},
            "sign": 0,
            "bars": {},
            "actions": {},
        }
        return part


def tally(counts: dict[str, int], kind: str, more: int, most: int) -> None:
    """Count by kind; whatever comes after `most` kinds is counted as one more, `…`."""
    if kind not in counts and len(counts) >= most:
        kind = "…"
    counts[kind] = counts.get(kind, 0) + more


def is_outdated(rank: Part, event: Mapping[str, Any]) -> bool:
    """Tell whether the rank has reported on the step or action of a late event since."""
    if event["type"] == "progress":
        bar = rank["bars"].get(event.get("step") or "")
        return bar is not None and bar["updated"] > event["time"]
    if event["type"] == "action":
        action = rank["actions"].get(event.get("name"), {})
        times = (action.get(name) for name in ("first", "started", "ended"))
        return any(time is not None and time > event["time"] for time in times)
    return False


def _run_started(run: Part, rank: Part, number: int, event: Mapping[str, Any]) -> None:
    checks.version_one(event)
    process = {
        "host": checks.text(event, "host"),
        "pid": checks.whole(event, "pid"),
        "python": checks.text(event, "python"),
        "sdk": checks.mapping(event, "sdk"),
    }
    of_run = {
        "action": checks.text(event, "action"),
        "plugin": checks.text(event, "plugin"),
        "params": checks.writable(event, "params"),
        "labels": checks.mapping(event, "labels"),
    }
    rank.update(process)
    if rank["started"] is None:
        rank["started"] = event["time"]
    if number == 0:
        run.update(of_run)
        if run["started"] is None:
            run["started"] = event["time"]


def _progress(run: Part, rank: Part, _number: int, event: Mapping[str, Any]) -> None:
    progress.report(run["overall"], rank["bars"], event)


def _message(run: Part, _rank: Part, _number: int, event: Mapping[str, Any]) -> None:
    checks.version_one(event)
    tally(run["levels"], checks.member(event, "level", _LEVELS), 1, len(_LEVELS))


def _action(_run: Part, rank: Part, _number: int, event: Mapping[str, Any]) -> None:
    checks.version_one(event)
    name, error = checks.name(event, "name"), checks.text(event, "error")
    status = checks.member(event, "status", _ACTIONS)
    actions = rank["actions"]
    if name not in actions and len(actions) >= _MOST_ACTIONS:
        return
    time = event["time"]
    action = actions.setdefault(name, {"first": time, "place": len(actions), "started": None})
    if status == ActionStatus.PENDING or (
        status == ActionStatus.RUNNING and action.get("ended") is not None
    ):
        action["started"] = None  # it begins again
    if status == ActionStatus.RUNNING and action["started"] is None:
        action["started"] = time
    action["ended"] = None if status in _IN_PROGRESS else time
    action["status"], action["error"] = status, error


def _end(run: Part, _rank: Part, number: int, event: Mapping[str, Any]) -> None:
    checks.version_one(event)
    ended = checks.rank(event, number)
    error, result = checks.text(event, "error"), checks.writable(event, "result")
    if ended is None:
        return  # a forked child leaves
    if event.get("status") is None:
        part_of_rank(run, ended)["ended"] = event["time"]
        return
    status = checks.member(event, "status", _ENDINGS)
    _finish(part_of_rank(run, ended), status, error, event["time"])
    if ended == 0 and _finish(run, status, error, event["time"]):
        run["result"] = result


def _producer_lost(run: Part, _rank: Part, number: int, event: Mapping[str, Any]) -> None:
    checks.version_one(event)
    gone = checks.rank(event, number)
    reason = checks.text(event, "reason") or "the process is gone"
    host, pid, time = checks.text(event, "host"), checks.whole(event, "pid"), event["time"]
    if len(run["lost"]) < _MOST_LOST:
        lost = {"rank": gone, "host": host, "pid": pid, "time": time, "reason": reason}
        run["lost"].append(lost)
    if gone is None:
        return
    part = part_of_rank(run, gone)
    if _finish(part, RunStatus.FAILED.value, reason, time):
        part["is_lost"] = True
    if gone == 0:
        _finish(run, RunStatus.FAILED.value, reason, time)


def _finish(part: Part, status: str, error: str | None, time: int) -> bool:
    """End a run or rank; False when it had ended before, which is final."""
    if part["status"] in _ENDINGS:
        return False
    part["status"], part["error"], part["ended"] = status, error, time
    return True


HANDLERS: dict[str, Callable[[Part, Part, int, Mapping[str, Any]], None]] = {
    "run_started": _run_started,
    "progress": _progress,
    "message": _message,
    "action": _action,
    "end": _end,
    "producer_lost": _producer_lost,
}
"""Event type → rule; other types are counted only."""
