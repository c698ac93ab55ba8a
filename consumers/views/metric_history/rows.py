"""The rows of a metric history: points of series, as columns."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import zip_longest
from math import isnan, nan
from typing import TYPE_CHECKING, Any

from consumers.folding.canonical import line
from consumers.folding.differing import Difference
from consumers.views.metric_history.packing import to_bytes
from synapse_stream.entries.position import Position
from synapse_stream.ports.views import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Points:
    """New points of one series, as columns of equal length, in the order in which they were folded.

    Series that were reported together may share columns: extend none that came from a view.

    `number` orders the chunks of a series: it grows with the fold, from chunk to chunk of a series
    and from commit to commit. Positions do not when a server lost its tail and its clock went back.
    """

    number: int
    ms: array[int]
    """Typecode q, like `seq` and `index`: the position of each point's event."""
    seq: array[int]
    index: array[int]
    times: array[int]
    """Typecode q: µs since the epoch, the producer's clock."""
    values: array[float]
    """Typecode d; NaN and infinities among them."""
    xs: array[float] | None
    """Typecode d; NaN for points without x. None when no point has one."""

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.values)

    def extend(self, others: Points) -> None:
        """Add the points of `others` behind these; `number` stays."""
        if self.xs is None and others.xs is not None:
            self.xs = array("d", [nan]) * len(self)
        if self.xs is not None:
            self.xs.extend(others.xs or array("d", [nan]) * len(others))
        self.ms.extend(others.ms)
        self.seq.extend(others.seq)
        self.index.extend(others.index)
        self.times.extend(others.times)
        self.values.extend(others.values)

    def part(self, begin: int, end: int) -> Points:
        """Return the points from `begin` on, and before `end`."""
        return Points(
            self.number,
            self.ms[begin:end],
            self.seq[begin:end],
            self.index[begin:end],
            self.times[begin:end],
            values=self.values[begin:end],
            xs=None if self.xs is None else self.xs[begin:end],
        )

    def columns(self, *, positions: bool) -> list[array[Any]]:
        """Return the columns, without those that depend on where entries stand if so asked."""
        columns: list[array[Any]] = [self.times, self.values]
        if self.xs is not None:
            columns.append(self.xs)
        return [*columns, self.ms, self.seq, self.index] if positions else columns


def begin_points(number: int) -> Points:
    """Return no points, to be extended."""
    return Points(
        number, array("q"), array("q"), array("q"), array("q"), values=array("d"), xs=None
    )


def joined(parts: Sequence[Points]) -> Points:
    """Return the parts of one series as one; a single part is returned as it is."""
    if len(parts) == 1:
        return parts[0]
    whole = begin_points(parts[0].number)
    for part in parts:
        whole.extend(part)
    return whole


class PointRows(dict[SeriesKey, Points]):
    """Points by series; the port `consumers.folding.port.Rows`."""

    def canonical(self, *, positions: bool = True) -> bytes:
        """Return every point of every series, the series by key, the points as they arrived."""
        parts = []
        for key in sorted(self, key=in_order):
            points = self[key]
            parts.append(line([*key, len(points)]))
            parts += [to_bytes(column) + b"\n" for column in points.columns(positions=positions)]
        return b"".join(parts)

    def is_same(self, other: PointRows, *, positions: bool = True) -> bool:
        """Tell whether `canonical` would be the same, without making it: points may be many."""
        return self.keys() == other.keys() and all(
            len(mine) == len(others) and all(map(_are_same_items, mine, others))
            for mine, others in (
                (points.columns(positions=positions), other[key].columns(positions=positions))
                for key, points in self.items()
            )
        )

    def first_difference(self, found: PointRows) -> Difference | None:
        """Return the first point that differs, series by series."""
        for key in sorted(self.keys() | found.keys(), key=in_order):
            one, two = _points(self.get(key)), _points(found.get(key))
            for index, (wanted, there) in enumerate(zip_longest(one, two)):
                if not _is_same_point(wanted, there):
                    name = f"point {index} of {key.name}, rank {key.rank}, attempt {key.attempt}"
                    return Difference(
                        f"{name}: {_shown(wanted)}", _shown(there), _place(wanted or there)
                    )
        return None


def in_order(key: SeriesKey) -> tuple[int, int, str, str]:
    """Return what series are sorted by: no step is the empty one."""
    return key.attempt, key.rank, key.step or "", key.name


def _are_same_items(one: array[Any], other: array[Any]) -> bool:
    """Compare bits, of items of 8 bytes each: a NaN is the same as itself."""
    return one is other or _bits(one) == _bits(other)


def _bits(column: array[Any]) -> memoryview:
    return memoryview(column).cast("B").cast("Q")


def _points(points: Points | None) -> list[tuple[Any, ...]]:
    if points is None:
        return []
    xs = points.xs if points.xs is not None else [nan] * len(points)
    columns = (points.ms, points.seq, points.index, points.times, points.values, xs)
    return list(zip(*columns, strict=True))


def _is_same_point(one: tuple[Any, ...] | None, two: tuple[Any, ...] | None) -> bool:
    if one is None or two is None:
        return one is two
    return all(a == b or (isnan(a) and isnan(b)) for a, b in zip(one, two, strict=True))


def _shown(point: tuple[Any, ...] | None) -> str:
    return "none" if point is None else f"{point[4]} at {point[3]} µs, {_place(point)}"


def _place(point: tuple[Any, ...] | None) -> Position | None:
    return None if point is None else Position(*point[:3])
