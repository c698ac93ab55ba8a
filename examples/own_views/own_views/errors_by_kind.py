"""Errors by kind: which there were, how many, the first and the last one."""

from __future__ import annotations

import re
from typing import Any, ClassVar, NamedTuple

from synapse_stream import Delivery, JobView

_FRAME = re.compile(r'^\s+File "(.+)", line \d+, in (\S+)', re.MULTILINE)
_VARIES = re.compile(r"""0x[0-9a-f]+|\d+|'[^']*'|"[^"]*\"""")
_LONGEST = 200


class Occurrence(NamedTuple):
    """One error: a row of the view's table, so that all jobs can be asked at once in SQL."""

    kind: str
    time: int
    attempt: int
    rank: int
    step: str | None
    text: str


class ErrorsByKind(JobView):
    """Tells errors apart by where they were raised, and messages by what does not vary in them."""

    name: ClassVar[str] = "errors-by-kind"
    version: ClassVar[int] = 1
    row = Occurrence

    def begin(self) -> dict[str, Any]:
        """Return a job without errors."""
        return {"kinds": {}}

    def apply(self, delivery: Delivery) -> None:
        """Count the errors among the events."""
        for event in delivery.events:
            if (text := _error(event)) is None:
                continue
            kind, time = fingerprint(text), event["time"]
            known = {"count": 0, "first": time, "last": time}
            found = self.state["kinds"].setdefault(kind, known)
            found["count"] += 1
            found["first"], found["last"] = min(found["first"], time), max(found["last"], time)
            place = (delivery.attempt, delivery.rank, event.get("step"))
            self.rows.append(Occurrence(kind, time, *place, text[:_LONGEST]))


def fingerprint(text: str) -> str:
    """Return what errors of one kind have in common.

    Of a traceback that is the error's type and the function that raised it, of any other text what
    is left without numbers and quoted words.
    """
    frames = _FRAME.findall(text)
    if frames:
        file, function = frames[-1]
        kind = text.rstrip().rpartition("\n")[2].partition(":")[0]
        return f"{kind} in {file.rpartition('/')[2]}:{function}"
    return _VARIES.sub("#", text.partition("\n")[0])[:_LONGEST]


def _error(event: dict[str, Any]) -> str | None:
    """Return the error that an event tells of."""
    if event["type"] == "message" and event.get("level") == "danger":
        return str(event["content"])
    error = event.get("error")
    return error if error and event["type"] in {"end", "progress", "action"} else None
