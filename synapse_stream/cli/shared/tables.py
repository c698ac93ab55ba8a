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
_BELOW = "    "
_NAME_COLUMNS, _NARROWEST = 10, 20

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
    lines = [_cells(row) for row in (header, *rows)]
    widths = _widths(lines)
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
            _print_folded(_BELOW, line[text])
    if left_out:
        print(coloured(f"not shown here: {', '.join(left_out)}; --wide shows all", "bright_black"))


def fits(header: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> bool:
    """Tell whether a table needs no more columns than the terminal has."""
    widths = _widths([_cells(row) for row in (header, *rows)])
    return sum(widths) + len(_GAP) * (len(widths) - 1) <= terminal_columns()


def terminal_columns() -> int:
    """Return how many columns there are: a terminal's, or any number where none is."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def print_fields(
    fields: Sequence[tuple[str, Cell | str | None]], *, columns: int = _NAME_COLUMNS
) -> None:
    """Print a line a field, its name first in `columns`; those that are None are left out.

    On a terminal, what does not fit goes on below the value, between words where it can.
    """
    for name, value in fields:
        if value is not None:
            (cell,) = _cells([value])
            _print_folded(f"{name}{' ' * (columns - _columns(name))} ", cell)


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


def _cells(row: Sequence[Cell | str]) -> list[Cell]:
    cells = [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]
    return [Cell(one_line(cell.text), cell.colour) for cell in cells]


def _widths(lines: Sequence[Sequence[Cell]]) -> list[int]:
    return [max(_columns(cell.text) for cell in column) for column in zip(*lines, strict=True)]


def _print_folded(begin: str, cell: Cell) -> None:
    """Print text behind `begin`, in as many lines as the terminal's width asks for."""
    for number, line in enumerate(_folded(cell.text, terminal_columns() - _columns(begin))):
        before = begin if not number else " " * _columns(begin)
        print(f"{before}{coloured(line, cell.colour)}".rstrip())


def _folded(text: str, room: int) -> list[str]:
    if _columns(text) <= room:
        return [text]
    from rich.console import Console
    from rich.text import Text

    return [str(line).rstrip() for line in Text(text).wrap(Console(), max(room, _NARROWEST))]


def _columns(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
