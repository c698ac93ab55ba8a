"""What each type of event says about its attempt: the rules of the run state, one function a type.

Every rule checks the whole event before it changes anything, so an event that is refused leaves no
trace. `run` is the attempt's part of the document, `rank` that of the delivery's rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.folding import checks
from consumers.views.run_state import bounds, endings, progress
from consumers.views.run_state.parts import Part, part_of_rank
from synapse_stream.events.quotas import MOST_ACTIONS
from synapse_stream.models import ActionStatus, LogLevel, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synapse_stream.ports.job_view import Delivery

Event = dict[str, Any]

_MOST_REASONS = 10

_LEVELS = [level.value for level in LogLevel]
_ENDINGS = [status.value for status in RunStatus if status.is_terminal]
_ACTIONS = [status.value for status in ActionStatus]
_IN_PROGRESS = {"pending", "running"}


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


def _run_started(run: Part, rank: Part, event: Event, at: Delivery, _index: int) -> None:
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
    rank.update({name: bounds.fitting(run, rank, name, each) for name, each in process.items()})
    if rank["started"] is None:
        rank["started"] = event["time"]
    if at.rank == 0:
        run.update({name: bounds.fitting(run, run, name, each) for name, each in of_run.items()})
        if run["started"] is None:
            run["started"] = event["time"]


def _progress(run: Part, rank: Part, event: Event, _at: Delivery, _index: int) -> None:
    progress.report(run, rank, event)


def _plan(run: Part, rank: Part, event: Event, at: Delivery, _index: int) -> None:
    progress.plan(run, rank, event, is_late=at.is_late)


def _message(run: Part, _rank: Part, event: Event, _at: Delivery, _index: int) -> None:
    checks.version_one(event)
    tally(run["levels"], checks.member(event, "level", _LEVELS), 1, len(_LEVELS))


def _action(run: Part, rank: Part, event: Event, _at: Delivery, _index: int) -> None:
    checks.version_one(event)
    name, error = checks.name(event, "name"), bounds.short(checks.text(event, "error"))
    status = checks.member(event, "status", _ACTIONS)
    actions = rank["actions"]
    if name not in actions:
        if len(actions) >= MOST_ACTIONS:
            bounds.leave_out(run, "actions")
            return
        if not bounds.take(run, bounds.ACTION + len(name) // bounds.UNIT):
            bounds.leave_out(run)
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
    action["status"], action["error"] = status, bounds.fitting(run, action, "error", error)
    if status == ActionStatus.RUNNING:
        rank["within"] = name
    elif rank["within"] == name:
        rank["within"] = _running(actions)


def _running(actions: Part) -> str | None:
    """Return the action of a rank that runs, of several the one that was named last."""
    running = [name for name, one in actions.items() if one["status"] == ActionStatus.RUNNING]
    return max(running, key=lambda name: actions[name]["place"], default=None)


def _end(run: Part, _rank: Part, event: Event, at: Delivery, index: int) -> None:
    checks.version_one(event)
    ended = checks.rank(event, at.rank)
    error, signal = checks.text(event, "error"), checks.text(event, "signal")
    result = checks.writable(event, "result")
    status = event.get("status")
    if status is not None:
        checks.member(event, "status", _ENDINGS)
    if ended is None or at.is_foreign:
        return  # a child process leaves, or another process has taken this one's name
    part = part_of_rank(run, ended)
    if part is None:
        bounds.leave_out(run)
        return
    if status is None:
        endings.leave(part, _said(event, at, index, None, None))
        return
    ending = _said(event, at, index, status, None)
    ending["error"] = bounds.fitting(run, ending, "error", error)
    if signal is not None:
        ending["signal"] = signal
    if ended == 0:
        ending["result"] = bounds.fitting(run, ending, "result", result)
    endings.end(part, ending)
    _share(run)


def _producer_lost(run: Part, _rank: Part, event: Event, at: Delivery, index: int) -> None:
    checks.version_one(event)
    gone = checks.rank(event, at.rank)
    reason = bounds.short(checks.text(event, "reason")) or "the process is gone"
    host, pid = bounds.short(checks.text(event, "host")), checks.whole(event, "pid")
    if at.is_foreign:
        return
    part = None if gone is None else part_of_rank(run, gone)
    if part is not None:
        if not endings.lose(part, _said(event, at, index, RunStatus.FAILED.value, reason)):
            return
        _share(run)
    if len(run["lost"]) >= bounds.MOST_LOST:
        bounds.leave_out(run, "lost processes")
        return
    lost = {"rank": gone, "host": host, "pid": pid, "time": event["time"], "reason": reason}
    run["lost"].append({**lost, "producer": at.producer, "number": at.number + index})


def _terminating(run: Part, rank: Part, event: Event, at: Delivery, index: int) -> None:
    checks.version_one(event)
    signal = checks.name(event, "signal")
    if not at.is_child and not at.is_foreign:
        endings.ask(rank, at.producer, at.number + index, signal, event["time"])
        _share(run)


def _resumed(run: Part, _rank: Part, event: Event, at: Delivery, index: int) -> None:
    checks.version_one(event)
    old, last = checks.name(event, "producer"), event.get("last")
    if type(last) is not int or not -1 <= last < checks.LATEST_TIME:
        raise checks.unfit("last", last, "an integer from -1")
    found = {
        "rank": checks.rank(event, at.rank),
        "host": bounds.short(checks.text(event, "host")),
        "pid": checks.whole(event, "pid"),
        "reason": bounds.short(checks.text(event, "reason"))
        or "another process has reported under this name",
    }
    if at.number + index != 0:
        return
    for part in run["ranks"].values():
        endings.withdraw(part, old, last)
    _share(run)
    run["lost"] = [one for one in run["lost"] if one["producer"] != old or one["number"] <= last]
    if len(run["resumed"]) >= bounds.MOST_LOST:
        bounds.leave_out(run, "resumed processes")
        return
    found.update(producer=old, heir=at.producer, last=last, time=event["time"])
    run["resumed"].append(found)


def _loss(run: Part, _rank: Part, event: Event, at: Delivery, _index: int) -> None:
    """Note why events were given up before they had a number; the ledger counts them by type."""
    counts, reason = event.get("counts"), event.get("reason")
    if event.get("first") is None and isinstance(counts, dict) and isinstance(reason, str):
        found = [count for count in counts.values() if checks.is_whole(count)]
        if found and not at.is_foreign:
            reason = checks.visible(reason[: checks.LONGEST_NAME])
            tally(run["reasons"], reason, sum(found), _MOST_REASONS)


def _dev_event(run: Part, _rank: Part, event: Event, _at: Delivery, _index: int) -> None:
    run["rejected"] += checks.whole(event, "rejected") or 0


def _said(event: Event, at: Delivery, index: int, status: str | None, error: str | None) -> Part:
    by = {"by": at.producer, "number": at.number + index}
    return {**by, "status": status, "error": error, "time": event["time"]}


def _share(run: Part) -> None:
    """Have the attempt stand as its rank 0 does."""
    first = run["ranks"].get("0")
    if first is not None:
        one = endings.standing(first)
        run["status"], run["error"] = first["status"], first["error"]
        run["ended"] = None if one is None else one["time"]


def report(run: Part, rank: Part, at: Delivery, index: int, kind: str) -> None:
    """Note that a producer has reported: one that was asked to end has not."""
    if endings.report(rank, at.producer, at.number + index, kind):
        _share(run)


HANDLERS: dict[str, Callable[[Part, Part, Event, Delivery, int], None]] = {
    "run_started": _run_started,
    "progress": _progress,
    "plan": _plan,
    "message": _message,
    "action": _action,
    "end": _end,
    "producer_lost": _producer_lost,
    "terminating": _terminating,
    "resumed": _resumed,
    "loss": _loss,
    "dev_event": _dev_event,
}
"""Event type → rule; other types are counted only."""
