"""How far a run is as a whole, and how long it still needs: made of its parts when it is read.

A *part* is an action, or a step outside of any action; an action's own parts are its steps. What
was announced counts before it begins: a pending action, a planned step. Parts weigh as `plan` says,
else by the time that each takes in all, as its pace or an earlier attempt of the job tells. One of
which nothing is known weighs as the mean of the others, and at least as much as it has taken
already. So a short step that is done moves the whole by little, and a run never looks done because
what follows has not begun. 100 is said of a completed run only.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.models import ActionStatus, RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Times = Mapping[tuple[str, str], float]
    """Action (none: empty) and step (none: the action as a whole) → seconds."""

_MOST = 99.9
"""What a run that is not completed is at most."""
_WHOLE = 100.0
_DIGITS = 9


class Overall(NamedTuple):
    """How far a run is as a whole."""

    percent: float | None = None
    is_at_least: bool = False
    eta_seconds: float | None = None
    eta_is_at_least: bool = False
    eta_time: int | None = None


class Part(NamedTuple):
    """A part of a run, or of an action."""

    key: tuple[str, str]
    share: float
    weight: float | None
    """As it was given."""
    seconds: float | None
    """How long it takes in all."""
    spent: float = 0.0
    """How long it has taken, in seconds."""
    left: float | None = None
    """How long it still needs, in seconds."""
    needs_more: bool = False
    """True when that is the least: it has parts of which nothing is known."""
    span: tuple[int, int] | None = None
    """When it began and was last heard of, in µs, while it is under way."""
    is_over: bool = False
    is_silent: bool = False
    """True when it is under way and does not say how far."""


class _Run:
    """What an attempt's part of the document says, looked up once."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.last: int = found["last"]
        self.plans = plans(found)
        self.actions = _actions(found)
        named = [pair for rank in found["ranks"].values() for pair in rank["bars"].items()]
        self.reported = {name for name, _ in named}
        self.heard = max((bar["updated"] for _, bar in named), default=self.last)
        """When progress was reported last."""
        self.has_failed = any(bar["failed"] for _, bar in named)
        self.bars: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
        """By action (none: empty) and step."""
        for name, bar in named:
            self.bars.setdefault(bar["action"] or "", {}).setdefault(name, []).append(bar)


def overall(run: Mapping[str, Any], before: Times) -> Overall:
    """Return how far an attempt is.

    Args:
        run: the attempt's part of the document.
        before: how long parts took in earlier attempts, as `times` says.
    """
    looked = _Run(run)
    parts = _parts(looked, before)
    if run["status"] == RunStatus.COMPLETED and not looked.has_failed:
        return Overall(_WHOLE)
    if not parts:
        return Overall()
    percent = min(_MOST, round(_WHOLE * _share(parts), _DIGITS))
    if RunStatus(run["status"]).is_terminal:
        return Overall(percent)
    seconds, is_at_least = _left(parts)
    is_silent = any(part.is_silent for part in parts)
    moment = looked.last if is_silent else looked.heard
    return Overall(percent, is_silent, seconds, is_at_least, None if seconds is None else moment)


def percent(run: Mapping[str, Any], before: Times) -> float | None:
    """Return the percent of `overall`: quick for a run under way that has one step, or none."""
    ranks = run["ranks"].values()
    has_parts = any(rank["plan"] or rank["actions"] for rank in ranks)
    bars = [pair for rank in ranks for pair in rank["bars"].items()]
    of_one = len({name for name, _ in bars}) <= 1 and not any(bar["action"] for _, bar in bars)
    if run["status"] != RunStatus.RUNNING or has_parts or not of_one:
        return overall(run, before).percent
    done = sum(bar["current"] / bar["total"] for _, bar in bars if bar["current"] is not None)
    share = min(1.0, max(0.0, done / len(bars))) if bars else None
    return None if share is None else min(_MOST, round(_WHOLE * share, _DIGITS))


def times(run: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return how long parts took in an attempt."""
    looked = _Run(run)
    parts = _parts(looked, {})
    for name in looked.actions:
        parts += _steps(looked, name, {})
    return {part.key: part.seconds for part in parts if part.seconds is not None}


def plans(run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return by action (none: empty) the steps that were announced: name → weight and time.

    Of what several ranks announce that of the lowest one stands.
    """
    found: dict[str, dict[str, Any]] = {}
    for rank in sorted(run["ranks"], key=int):
        for action, steps in run["ranks"][rank]["plan"].items():
            found[action] = steps | found.get(action, {})
    return found


def _parts(run: _Run, before: Times) -> list[Part]:
    actions = run.actions
    has_failed = any(one["status"] == ActionStatus.FAILED for one in actions.values())
    counted = {
        name: one
        for name, one in actions.items()
        if has_failed or one["status"] != ActionStatus.SKIPPED
    }
    own = [_action(run, name, one, before) for name, one in counted.items()]
    return own + _steps(run, "", before)


def _action(run: _Run, name: str, action: Mapping[str, Any], before: Times) -> Part:
    key, given = (name, ""), run.plans.get("", {}).get(name, (None,))[0]
    status, started, ended = action["status"], action["started"], action["ended"]
    known = before.get(key)
    if status == ActionStatus.COMPLETED:
        took = None if started is None else max(0, ended - started) / 1e6
        return Part(key, 1.0, given, took, is_over=True)
    if status == ActionStatus.PENDING:
        return Part(key, 0.0, given, known, left=known)
    inner = _steps(run, name, before)
    share = _share(inner) if inner else 0.0
    if status != ActionStatus.RUNNING:  # failed, or skipped since another has failed
        return Part(key, share, given, known, is_over=True)
    begun = run.last if started is None else min(started, run.last)
    spent = (run.last - begun) / 1e6
    seconds = spent / share if share and spent else known
    left, needs_more = _left(inner)
    if left is None and seconds is not None:
        left, needs_more = max(0.0, seconds - spent), False
    span = (begun, run.last)
    return Part(key, share, given, seconds, spent, left, needs_more, span, is_silent=not inner)


def _steps(run: _Run, action: str, before: Times) -> list[Part]:
    """Return the steps of an action, or those outside of any, then those that will come."""
    own, of_run = run.plans.get(action, {}), run.plans.get("", {})
    bars = run.bars.get(action, {})
    order = sorted(bars, key=lambda name: (min(bar["first"] for bar in bars[name]), name))
    found = []
    for name in order:
        weight = (own.get(name) or of_run.get(name) or (None,))[0]
        found.append(_step((action, name), bars[name], weight, before))
    known = run.reported if action or not own else run.reported | run.actions.keys()
    for name, (weight, _) in own.items():
        if name not in known:
            seconds = before.get((action, name))
            found.append(Part((action, name), 0.0, weight, seconds, left=seconds))
    return _waiting_for(found, run)


def _waiting_for(steps: list[Part], run: _Run) -> list[Part]:
    """Count the time since the last report for the first step that has not moved yet.

    It is what the run is at when no step is under way.
    """
    at = next((n for n, step in enumerate(steps) if not step.is_over and not step.share), None)
    if at is not None and all(step.span is None for step in steps):
        steps[at] = steps[at]._replace(spent=(run.last - run.heard) / 1e6)
    return steps


def _step(
    key: tuple[str, str], bars: Sequence[Mapping[str, Any]], weight: float | None, before: Times
) -> Part:
    read = [bar for bar in bars if bar["current"] is not None]
    share = sum(bar["current"] / bar["total"] for bar in read) / len(bars)
    paces = [_seconds(bar) for bar in read]
    known = [pace for pace in paces if pace is not None]
    seconds = sum(known) / len(known) if known else before.get(key)
    begun, updated = min(bar["begun"] for bar in bars), max(bar["updated"] for bar in bars)
    spent = max(0, updated - begun) / 1e6
    is_over = share >= 1 or any(bar["failed"] for bar in bars)
    lefts = [_bar_left(bar) for bar in read]
    sure = [left for left in lefts if left is not None]
    left = max(sure) if sure and len(sure) == len(bars) else None
    if left is None and seconds is not None:
        left = seconds * (1 - share)
    span = (begun, updated) if share > 0 and not is_over else None
    part = Part(key, share, weight, seconds, spent if share else 0.0, left)
    return part._replace(span=span, is_over=is_over)


def _seconds(bar: Mapping[str, Any]) -> float | None:
    """Return how long a bar takes in all, at the mean of its pace so far."""
    done, spent = bar["current"] - bar["from"], (bar["updated"] - bar["begun"]) / 1e6
    if done <= 0 or spent <= 0:
        return None
    seconds = spent * (bar["total"] / done)
    return seconds if isfinite(seconds) else None


def _bar_left(bar: Mapping[str, Any]) -> float | None:
    """Return how long a bar still needs, at its recent pace."""
    rest = bar["total"] - bar["current"]
    if not rest:
        return 0.0
    left = rest * (bar["seconds"] / bar["units"]) if bar["units"] > 0 else 0.0
    return left if left > 0 and isfinite(left) else None


def _share(parts: Sequence[Part]) -> float:
    """Return how far they are together, 0 to 1."""
    weights = _weights(parts)
    largest = max(weights)
    scaled = [weight / largest for weight in weights]  # so that the sum is finite
    done = sum(weight * part.share for weight, part in zip(scaled, parts, strict=True))
    return min(1.0, max(0.0, done / sum(scaled)))


def _weights(parts: Sequence[Part]) -> list[float]:
    given = [part.weight for part in parts if part.weight is not None]
    if given:
        mean = sum(weight / len(given) for weight in given)
        return [mean if part.weight is None else part.weight for part in parts]
    known = [part.seconds for part in parts if part.seconds]
    if not known:
        return [1.0] * len(parts)
    mean = sum(seconds / len(known) for seconds in known)
    return [part.seconds or max(mean, part.spent) for part in parts]


def _left(parts: Sequence[Part]) -> tuple[float | None, bool]:
    """Return how long they still need together, in seconds, and whether that is the least."""
    waiting = [part for part in parts if not part.is_over]
    pace = _pace(parts)
    lefts = [_left_of(part, pace) for part in waiting]
    sure = [left for left in lefts if left is not None]
    left = sum(sure) / _at_once(waiting)
    is_least = len(sure) < len(lefts) or any(part.needs_more for part in waiting)
    return (left if left and isfinite(left) else None), is_least


def _left_of(part: Part, pace: float | None) -> float | None:
    if part.left is None and pace is not None and part.weight is not None:
        return pace * part.weight * (1 - part.share)
    return part.left


def _pace(parts: Sequence[Part]) -> float | None:
    """Return the seconds that a unit of given weight takes, as far as it is known."""
    known = [(p.seconds, p.weight) for p in parts if p.seconds is not None and p.weight is not None]
    weight = sum(weight for _, weight in known)
    return sum(seconds for seconds, _ in known) / weight if weight and isfinite(weight) else None


def _at_once(parts: Sequence[Part]) -> float:
    """Return how many parts are under way at once, 1 at least."""
    spans = [part.span for part in parts if part.span is not None]
    if not spans:
        return 1.0
    whole = max(end for _, end in spans) - min(begun for begun, _ in spans)
    return max(1.0, sum(end - begun for begun, end in spans) / whole) if whole > 0 else 1.0


def _actions(run: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return each action as the lowest rank that reported it has it."""
    found: dict[str, Mapping[str, Any]] = {}
    for rank in sorted(run["ranks"], key=int):
        for name, action in run["ranks"][rank]["actions"].items():
            found.setdefault(name, action)
    return found
