"""Points and events as lines of CSV: one dialect, whoever writes it.

Lines end with a line feed; cells are quoted where they must be; no value is an empty cell; times
are RFC 3339 in UTC; numbers that are not finite have their JSON names. What a job may choose
freely never is a formula: a spreadsheet would calculate it, and it could reach the network.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from itertools import repeat
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from synapse_stream.events.tags import wire_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from synapse_stream.ports.views.metrics import Series

COLUMNS = ("attempt", "rank", "step", "name", "position", "time", "x", "value")

_END = "\r\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA = (*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def points(series: Series) -> Iterator[tuple[Any, ...]]:
    """Yield the points of a series as rows of `COLUMNS`."""
    attempt, rank, step, name = series.key
    key = (attempt, rank, defused(step or ""), defused(name))
    xs = repeat(None) if series.xs is None else series.xs
    for place, time, x, value in zip(
        series.positions, series.times, xs, series.values, strict=False
    ):
        shown_x = None if x is None or isnan(x) else wire_number(x)
        yield (
            *key,
            place,
            utc(time),
            shown_x,
            value if isfinite(value) else wire_number(value),
        )


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
    try:
        when = _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        when = _EPOCH
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06}Z"
