"""Columns of text, times and amounts, as every command shows them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.cli.shared.output import coloured
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SHORT_SECONDS = 10


class Cell(NamedTuple):
    """Text that may be coloured."""

    text: str
    colour: str | None = None


def print_table(header: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> None:
    """Print rows in columns below their header; whatever text they hold stays on one line."""
    cells = [
        [cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in (header, *rows)
    ]
    lines = [[Cell(one_line(cell.text), cell.colour) for cell in row] for row in cells]
    widths = [max(_columns(cell.text) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = [
            coloured(cell.text, cell.colour) + " " * (width - _columns(cell.text))
            for cell, width in zip(line, widths, strict=True)
        ]
        print("  ".join(padded).rstrip())


def print_fields(fields: Sequence[tuple[str, Cell | str | None]]) -> None:
    """Print a line a field, its name first; those that are None are left out."""
    for name, value in fields:
        if value is not None:
            cell = value if isinstance(value, Cell) else Cell(value)
            print(f"{name:<10} {coloured(one_line(cell.text), cell.colour)}".rstrip())


def clock(time_us: int | None) -> str:
    """Return a time in µs since the epoch as local date and time."""
    if time_us is None:
        return "-"
    return f"{datetime.fromtimestamp(time_us / 1e6, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def span(seconds: float | None) -> str:
    """Return a duration in the two units that matter."""
    if seconds is None:
        return "-"
    if seconds < _SHORT_SECONDS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def amount(number: float | None) -> str:
    """Return a number as short as it can be read."""
    return "-" if number is None else f"{number:.6g}"


def percent(share: float | None) -> str:
    """Return a percentage; 100 only when it is."""
    return "-" if share is None else f"{int(share * 10) / 10:g} %"


def _columns(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
