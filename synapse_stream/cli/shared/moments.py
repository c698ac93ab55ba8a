"""Moments as people type them."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.ports.history import at_microseconds, parse_moment

if TYPE_CHECKING:
    from synapse_stream.entries.position import Position

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def seconds(option: str, text: str) -> float:
    """Read a span such as `90s`, `10m`, `12h` or `7d`.

    Raises:
        WrongUse: it is none.
    """
    found = _seconds(text)
    if found is None:
        msg = f"{option} {text!r} is no span such as 90s, 10m, 12h or 7d"
        raise WrongUse(msg)
    return found


def moment(option: str, text: str) -> Position | int:
    """Read a position, or a time as µs since the epoch.

    A time is `-10m` (before now: s, m, h, d), as the commands print it (of this machine's zone),
    as RFC 3339 has it, or a number of µs.

    Raises:
        WrongUse: it is none of them.
    """
    if text.startswith("-") and (ago := _seconds(text[1:])) is not None:
        return max(0, round((time.time() - ago) * 1e6))
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        local = None
    try:
        if local is not None and local.tzinfo is None and not text.isdecimal():
            return at_microseconds(local.astimezone())
        return parse_moment(text)
    except (ValueError, OverflowError) as error:
        usual = "a position nor a time such as -10m or 2026-11-25 12:00"
        msg = f"{option} {text!r} is neither {usual}: {error}"
        raise WrongUse(msg) from None


def _seconds(text: str) -> float | None:
    found = _SPAN.fullmatch(text)
    return float(found[1]) * _SECONDS[found[2]] if found else None
