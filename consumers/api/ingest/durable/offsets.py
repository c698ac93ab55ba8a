"""Offsets: how far a reader of a stream is, as a text that sorts as the stream does. Pure."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from synapse_stream.entries.position import BEGINNING, Position

if TYPE_CHECKING:
    from synapse_stream.entries.entry import EntryId

FIRST, NOW = "-1", "now"

_FORM = re.compile(r"([0-9]{16})_([0-9]{10})", re.ASCII)
_CURSOR_EPOCH = 1_728_432_000  # 2024-10-09
_CURSOR_SECONDS = 20
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


def offset_of(entry: EntryId) -> str:
    """Return the offset behind an entry."""
    return f"{entry[0]:016d}_{entry[1]:010d}"


def parse(offset: str | None) -> Position | None:
    """Return the entry that an offset is behind, None for `now`.

    Raises:
        ValueError: it is no offset of ours.
    """
    if offset is None or offset == FIRST:
        return BEGINNING
    if offset == NOW:
        return None
    match = _FORM.fullmatch(offset)
    if match is None:
        msg = "an offset is what `Stream-Next-Offset` said, -1 for the begin, or `now`"
        raise ValueError(msg)
    return Position(int(match[1]), int(match[2]))


def cursor(given: str | None) -> str:
    """Return a number for caches, which rises every 20 s and with each request that names it."""
    current = int(time.time() - _CURSOR_EPOCH) // _CURSOR_SECONDS
    known = int(given) if given and _DIGITS.fullmatch(given) else -1
    return str(current if known < current else known + 1)
