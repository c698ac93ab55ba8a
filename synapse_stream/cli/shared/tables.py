"""Columns of text, times and amounts, as every command shows them."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from synapse_stream.cli.shared.output import coloured
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SHORT_SECONDS = 10
_MILLISECOND = 0.001
_GAP = "  "

Wide = Annotated[bool, typer.Option("--wide", help="Every column, however narrow the terminal is.")]
"""The option of a command whose tables may be wider than a terminal."""


class Cell(NamedTuple):
    """Text that may be coloured."""

    text: str
    colour: str | None = None


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    *,
    spare: Sequence[str] = (),
    below: str | None = None,
    wide: bool = True,
) -> None:
    """Print rows in columns below their header; no cell is cut or takes more than one line.

    Args:
        header: names of the columns.
        rows: their cells.
        spare: columns that are left out where a terminal is too narrow, the first first; a line
            says which.
        below: the column of free text; where it does not fit, it stands below its row.
        wide: ask for no terminal's width.
    """
    cells = [
        [cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in (header, *rows)
    ]
    lines = [[Cell(one_line(cell.text), cell.colour) for cell in row] for row in cells]
    widths = [max(_columns(cell.text) for cell in column) for column in zip(*lines, strict=True)]
    shown, left_out = list(range(len(header))), []
    room = sys.maxsize if wide else terminal_columns()

    def is_too_wide() -> bool:
        return sum(widths[at] for at in shown) + len(_GAP) * (len(shown) - 1) > room

    text = header.index(below) if below is not None and is_too_wide() else None
    if text is not None:
        shown.remove(text)
    for name in spare:
        if is_too_wide():
            shown.remove(header.index(name))
            left_out.append(name)
    for number, line in enumerate(lines):
        padded = [
            coloured(line[at].text, line[at].colour) + " " * (widths[at] - _columns(line[at].text))
            for at in shown
        ]
        print(_GAP.join(padded).rstrip())
        if text is not None and number and line[text].text:
            print(f"    {coloured(line[text].text, line[text].colour)}")
    if left_out:
        print(coloured(f"not shown here: {', '.join(left_out)}; --wide shows all", "bright_black"))


def terminal_columns() -> int:
    """Return how many columns there are: a terminal's, or any number where none is."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


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
    """Return a duration in the two units that matter, never rounded up."""
    return "-" if seconds is None else _span(seconds)


def _span(seconds: float) -> str:
    if _MILLISECOND <= seconds < 1:
        return f"{int(seconds * 1000)} ms"
    if seconds < _SHORT_SECONDS:
        return f"{int(seconds * 10) / 10:.1f} s"
    whole = int(seconds)
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
