"""Points and events as lines of CSV: one dialect, whoever writes it.

Lines end with a line feed; cells are quoted where they must be; no value is an empty cell; times
are RFC 3339 in UTC; numbers that are not finite have their JSON names. What a job may choose
freely never is a formula: a spreadsheet would calculate it, and it could reach the network.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from synapse_stream.events.tags import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from synapse_stream.ports.views.metrics import Series

COLUMNS = ("attempt", "rank", "step", "name", "position", "time", "x", "value")

_END = "\r\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA = (*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def points(series: Series) -> str:
    """Return the points of a series as lines of CSV, a line a point, as `COLUMNS` name them."""
    attempt, rank, step, name = series.key
    key = csv_text([(attempt, rank, defused(step or ""), defused(name))]).removesuffix("\n")
    xs = repeat("") if series.xs is None else map(_x, series.xs)
    columns = zip(series.positions.texts(), series.times, xs, series.values, strict=False)
    return "".join(
        [f"{key},{place},{utc(time)},{x},{_number(value)}\n" for place, time, x, value in columns]
    )


def _x(number: float) -> str:
    return "" if isnan(number) else _number(number)


def _number(number: float) -> str:
    return repr(number) if isfinite(number) else name_of(number)


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV."""
    lines = _Lines()
    csv.writer(lines, lineterminator=_END).writerows(rows)
    return "".join(lines.written)


class _Lines:
    """Takes lines: csv quotes a bare carriage return only if it is part of its own line's end."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(f"{line[: -len(_END)]}\n")


def defused(text: str) -> str:
    """Return a text as a cell: with a `'` before it where a spreadsheet would calculate it."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def utc(time_us: int) -> str:
    """Return RFC 3339, in UTC, with microseconds; a time that no calendar has as the epoch's."""
    seconds, us = divmod(time_us, 1_000_000)
    try:
        return f"{_second(seconds)}.{us:06}Z"
    except OverflowError:
        return f"{_second(0)}.000000Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """Return a time without its fraction, as neighbours share it."""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"
