"""How much the run state keeps of a job; what is beyond is counted, and stays where it is recorded.

The bounds follow from the events alone and are the same for every consumer: else a job that is
folded anew would not be what it was. What an attempt *weighs* is about what its parts take in the
document, in units of 256 bytes. That never falls, so it does not matter when it is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

Part = dict[str, Any]
T = TypeVar("T")

MOST_ATTEMPTS = 100
"""That which stands and those before it; as many again that rank 0 has not begun."""
MOST_LOST = 100
"""Lost processes, and resumed ones, of an attempt."""
MOST_WEIGHT = 65_536
"""Of an attempt, and of all that are kept: 16 MiB."""
UNIT = 256
_PENDING = "pending"
RANK, BAR, ACTION = 4, 1, 1

BYTES = "bytes of state"

_LONGEST_TEXT = 2_000
_HEAD = 200


def take(run: Part, weight: int) -> bool:
    """Have an attempt weigh so much more; False when that would be too much."""
    if run["weight"] + weight > MOST_WEIGHT:
        return False
    run["weight"] += weight
    return True


def leave_out(run: Part, what: str = BYTES, times: int = 1) -> None:
    """Count what is not kept of an attempt."""
    run["left_out"][what] = run["left_out"].get(what, 0) + times


def fitting(run: Part, part: Part, name: str, value: T) -> T:
    """Return a value as it may stand in a field of a part: cut, or nothing of it, if it is heavy.

    What it weighs beyond what the field has weighed before is added to the attempt.
    """
    more = _weight(value) - part.get("weights", {}).get(name, 0)
    if more <= 0:
        return value
    if not take(run, more):
        leave_out(run)
        return _head(value)  # type: ignore[no-any-return]
    part.setdefault("weights", {})[name] = _weight(value)
    return value


def short(text: str | None) -> str | None:
    """Return a text of which there may be many, as the error of a step; a long one cut."""
    return text if text is None or len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def standing(attempts: Mapping[str, Part]) -> int:
    """Return the latest attempt that rank 0 has begun, as which the job stands; 0 for none."""
    begun = (int(number) for number, run in attempts.items() if run["status"] != _PENDING)
    return max(begun, default=0)


def drop_attempts(attempts: dict[str, Part], current: int) -> list[int]:
    """Drop attempts that are too many, or weigh too much, and return those that are over.

    The oldest go first, never that which stands or the `current` one. Where rank 0 is behind the
    others, those that it has not begun go last, the latest first; they may come again.
    """
    latest = standing(attempts)
    over = sorted(number for number in map(int, attempts) if number < latest and number != current)
    ahead = sorted(number for number in map(int, attempts) if number > latest and number != current)
    total = sum(run["weight"] for run in attempts.values())
    dropped: list[int] = []
    for number in [*over, *reversed(ahead)]:
        is_over = number < latest
        if total <= MOST_WEIGHT and (not is_over or len(over) - len(dropped) < MOST_ATTEMPTS):
            continue
        total -= attempts.pop(str(number))["weight"]
        if is_over:
            dropped.append(number)
    return dropped


def _weight(value: Any) -> int:
    """Return what a text, a list or an object weighs; a small one is part of what it stands in."""
    if isinstance(value, str):
        return len(value) // UNIT
    return len(orjson.dumps(value)) // UNIT if isinstance(value, (list, dict)) and value else 0


def _head(value: Any) -> Any:
    if isinstance(value, str):
        return f"{value[:_HEAD]}…"
    return type(value)()
