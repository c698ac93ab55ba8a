"""Path and query parameters: how they are read, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote

from fastapi import Depends, Path, Query

from consumers.api.problems import not_found, unprocessable
from synapse_stream.entries.position import Position
from synapse_stream.ports.history import parse_moment

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_INT = 2**31 - 1
LONGEST_TEXT = 1_000
A_POSITION = "a position such as 1763880000000-0.3"
A_MOMENT = f"{A_POSITION}, a time such as 2026-11-25T12:00:00Z, or microseconds since the epoch"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LARGEST_STORED = 2**63 - 1


def job_id(
    job: Annotated[str, Path(description="The job's id, percent-encoded also where it has a `/`.")],
) -> str:
    """Return the id that a raw path segment names.

    The path is routed as it came, so `a%2Fb` is one segment: the job `a/b`.
    """
    try:
        found = unquote(job, errors="strict")
    except UnicodeDecodeError:
        raise not_found(job) from None
    if _CONTROL.search(found):
        raise not_found(found)
    return found


JobId = Annotated[str, Depends(job_id)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most to return.")]
Text = Annotated[str, Query(max_length=LONGEST_TEXT, pattern=r"^[^\x00]*$")]
Reason = Annotated[Text | None, Query(description="Why, for the operators' trail.")]
PositionText = Annotated[
    str,
    Query(
        max_length=60,
        description=f"Position, as in `{A_POSITION.rpartition(' ')[2]}`.",
        pattern=r"^\d{1,20}-\d{1,20}(\.\d{1,10})?$",
    ),
]


def position(name: str, text: str | None) -> Position | None:
    """Return the position in `text`, None for none.

    Raises:
        Problem: it is no position.
    """
    if text is None:
        return None
    try:
        return Position.parse(text)
    except ValueError:
        raise unprocessable(name, text, A_POSITION) from None


def stored(name: str, text: str | None) -> Position | None:
    """Return the position in `text` as a database can compare with it; None for none.

    No stored position lies behind it. Raises Problem as `position`.
    """
    place = position(name, text)
    if place is None:
        return None
    ms, seq, index = place
    return Position(min(ms, _LARGEST_STORED), min(seq, _LARGEST_STORED), min(index, LARGEST_INT))


def moment(name: str, text: str | None) -> Position | int | None:
    """Return the position in `text`, or the time in it as µs since the epoch; None for none.

    Raises:
        Problem: it is neither.
    """
    if text is None:
        return None
    try:
        return parse_moment(text.replace(" ", "+"))  # a query's bare "+" is a space
    except ValueError:
        raise unprocessable(name, text, A_MOMENT) from None


def several(values: Iterable[str]) -> list[str]:
    """Return what is given repeatedly, or joined by commas."""
    return [part for value in values for part in value.split(",") if part]
