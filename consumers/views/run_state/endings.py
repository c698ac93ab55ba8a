"""How a rank ends: what was said about it, in the order of the stream, and what of that stands.

`ends` in a rank's part has what was said, the first that is final decides. `by` and `number` tell
whose event it was: an end that another process has said under a name that was not its own is
withdrawn. `how` is

- `end`: the process has said so;
- `lost`: it died without a word;
- `asked`: a signal asked it to end. That is no end yet: what the process reports later withdraws
  it, its own end decides as it says, and its death makes it final.
"""

from __future__ import annotations

from typing import Any

from synapse_stream.models import RunStatus

Part = dict[str, Any]

ENDED, LOST, ASKED = "end", "lost", "asked"

_MOST = 16
_SILENT = frozenset({"heartbeat", "loss", "terminating", "joined", "resumed"})
"""Types of events that come without the plugin's doing anything."""


def end(part: Part, ending: Part) -> None:
    """Note that a process has ended its rank."""
    _drop(part, lambda one: one["how"] == ASKED and one["by"] == ending["by"])
    _add(part, {**ending, "how": ENDED})


def lose(part: Part, ending: Part) -> bool:
    """Note that a process has died; False when that is the end that it was asked for."""
    for one in part["ends"]:
        if one["how"] == ASKED and one["by"] == ending["by"]:
            one["how"] = ENDED
            settle(part)
            return False
    _add(part, {**ending, "how": LOST})
    return True


def ask(part: Part, by: str, number: int, signal: str, time: int) -> None:
    """Note that a process was asked to end."""
    if not any(one["how"] == ASKED and one["by"] == by for one in part["ends"]):
        error = f"terminated by {signal}"
        ending = {"by": by, "number": number, "status": "cancelled", "error": error, "time": time}
        _add(part, {**ending, "how": ASKED})


def is_asked(part: Part) -> bool:
    """Tell whether some process of the rank was asked to end, and has not ended."""
    return any(one["how"] == ASKED for one in part["ends"])


def report(part: Part, by: str, number: int, kind: str) -> bool:
    """Note that a process has gone on after it was asked to end; False when it has not."""
    if kind in _SILENT:
        return False
    return _drop(
        part, lambda one: one["how"] == ASKED and one["by"] == by and one["number"] < number
    )


def leave(part: Part, ending: Part) -> None:
    """Note that a process has left its rank without saying how that stands."""
    part["leave"] = ending
    settle(part)


def withdraw(part: Part, by: str, last: int) -> None:
    """Take back what was said under a name after its process had left it at the number `last`."""
    left = part["leave"]
    if left is not None and left["by"] == by and left["number"] > last:
        part["leave"] = None
    _drop(part, lambda one: one["by"] == by and (one["number"] > last or one["how"] == ASKED))
    settle(part)


def standing(part: Part) -> Part | None:
    """Return the ending that stands, None for a rank that goes on."""
    ends: list[Part] = part["ends"]
    final = (one for one in ends if one["how"] != ASKED)
    return next(final, ends[0] if ends else None)


def settle(part: Part) -> None:
    """Have status, error and time of a rank say what stands."""
    one = standing(part)
    if one is not None:
        part["status"], part["error"], part["ended"] = one["status"], one["error"], one["time"]
    else:
        if part["status"] != RunStatus.PENDING:
            part["status"] = RunStatus.RUNNING.value
        left = part["leave"]
        part["error"], part["ended"] = None, None if left is None else left["time"]


def _add(part: Part, ending: Part) -> None:
    if len(part["ends"]) < _MOST:
        part["ends"].append(ending)
        settle(part)


def _drop(part: Part, chosen: Any) -> bool:
    kept = [one for one in part["ends"] if not chosen(one)]
    if len(kept) == len(part["ends"]):
        return False
    part["ends"] = kept
    settle(part)
    return True
