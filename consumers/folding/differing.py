"""Where two contents of the same shape differ first."""

from __future__ import annotations

from itertools import zip_longest
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.entries.position import Position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumers.folding.port import MessageRow, Points
    from synapse_stream.ports.views import SeriesKey

_SHOWN = 200
_NOTHING = object()


def shown(data: bytes) -> str:
    """Return the beginning of stored bytes, for people."""
    text = data[:_SHOWN].decode(errors="backslashreplace")
    return text if len(data) <= _SHOWN else f"{text}…"


class Difference(NamedTuple):
    """One difference, for people."""

    expected: str
    found: str
    position: Position | None = None


def first_difference(expected: Any, found: Any, path: str = "") -> Difference | None:
    """Return the first difference of two JSON values, keys in order; None if they are equal."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            inner = f"{path}.{key}" if path else str(key)
            one, two = expected.get(key, _NOTHING), found.get(key, _NOTHING)
            if difference := first_difference(one, two, inner):
                return difference
        return None
    if isinstance(expected, list) and isinstance(found, list):
        for index, (one, two) in enumerate(zip_longest(expected, found, fillvalue=_NOTHING)):
            if difference := first_difference(one, two, f"{path}[{index}]"):
                return difference
        return None
    if type(expected) is type(found) and expected == found:
        return None
    return Difference(f"{path} {_text(expected)}", _text(found))


def of_points(
    expected: Mapping[SeriesKey, Points], found: Mapping[SeriesKey, Points]
) -> Difference | None:
    """Return the first point that differs, series by series."""
    keys = sorted(
        expected.keys() | found.keys(), key=lambda k: (k.attempt, k.rank, k.step or "", k.name)
    )
    for key in keys:
        one, two = _rows(expected.get(key)), _rows(found.get(key))
        for index, (wanted, there) in enumerate(zip_longest(one, two)):
            if not _is_same(wanted, there):
                name = f"point {index} of {key.name}, rank {key.rank}, attempt {key.attempt}"
                return Difference(
                    f"{name}: {_point(wanted)}", _point(there), _place(wanted or there)
                )
    return None


def of_messages(expected: Sequence[MessageRow], found: Sequence[MessageRow]) -> Difference | None:
    """Return the first row that differs."""
    for one, two in zip_longest(expected, found):
        if one != two:
            row = one or two
            place = None if row is None else Position(row.ms, row.seq, row.line)
            return Difference(_row(one), _row(two), place)
    return None


def _rows(points: Points | None) -> list[tuple[Any, ...]]:
    if points is None:
        return []
    xs = points.xs if points.xs is not None else [float("nan")] * len(points)
    columns = (points.ms, points.seq, points.index, points.times, points.values, xs)
    return list(zip(*columns, strict=True))


def _is_same(one: tuple[Any, ...] | None, two: tuple[Any, ...] | None) -> bool:
    if one is None or two is None:
        return one is two
    return all(a == b or (isnan(a) and isnan(b)) for a, b in zip(one, two, strict=True))


def _point(row: tuple[Any, ...] | None) -> str:
    return "none" if row is None else f"{row[4]} at {row[3]} µs, {_place(row)}"


def _place(row: tuple[Any, ...] | None) -> Position | None:
    return None if row is None else Position(*row[:3])


def _row(row: MessageRow | None) -> str:
    return "no message" if row is None else _text(list(row))


def _text(value: Any) -> str:
    if value is _NOTHING:
        return "nothing"
    return shown(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
