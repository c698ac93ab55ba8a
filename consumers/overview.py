"""A series in buckets: every extreme stays, and the true count stands beside.

A chunk that is narrower than a bucket counts as a whole, one that is wider by its blocks, and only
one whose blocks are too wide as well, or that sticks out of the view, by its points. Chunks and
blocks go into the bucket in which their middle lies. When there are no more points in view than
buckets, each point is a bucket of its own.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate, islice
from math import inf, isfinite, isnan
from operator import itemgetter, le
from typing import TYPE_CHECKING, Any, NamedTuple

from consumers import chunks, stats
from synapse_stream.views import Axis, Bucket

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consumers.stats import Stats


class Sketch(NamedTuple):
    """A chunk without its body."""

    number: int
    stats: Stats
    outline: bytes


class _Group(NamedTuple):
    """Points that count together; the fields are those of Bucket."""

    start: float
    stop: float
    points: int
    v_min: float
    """inf when no value is finite; then `v_max` is -inf."""
    v_max: float
    v_last: float
    nans: int
    positive: int
    negative: int


class _Part(NamedTuple):
    """A chunk in view."""

    number: int
    begin: int
    """How many points of the series come before it."""
    groups: list[_Group] | None
    """What it counts by, in the order of arrival; None: its points."""


class Bucketing:
    """Cuts a series into buckets; `wanted` has the numbers of the chunks whose bodies it needs."""

    def __init__(
        self,
        sketches: Sequence[Sketch],
        axis: Axis,
        buckets: int,
        start: float | None = None,
        stop: float | None = None,
    ) -> None:
        """Look at all chunks of the series, which come in the order of their numbers.

        The view goes from `start` to `stop`, both included; None is the first or last place that a
        point has. It is cut into `buckets`, 1 or more, of equal width.
        """
        self._axis = axis
        self._buckets = buckets
        begins = accumulate((sketch.stats.points for sketch in sketches), initial=0)
        wholes = [
            (sketch, begin, _whole(sketch.stats, axis, begin))
            for sketch, begin in zip(sketches, begins, strict=False)
        ]
        wholes = [whole for whole in wholes if whole[2].points]
        self._start = min((g.start for *_, g in wholes), default=0) if start is None else start
        self._stop = max((g.stop for *_, g in wholes), default=0) if stop is None else stop
        self._half_width = _half_span(self._start, self._stop) / buckets
        seen = [w for w in wholes if w[2].start <= self._stop and w[2].stop >= self._start]
        self._is_exact = sum(group.points for *_, group in seen) <= buckets
        self._parts = [self._part(*whole) for whole in seen]
        self.wanted = [part.number for part in self._parts if part.groups is None]

    def build(self, bodies: Mapping[int, bytes]) -> list[Bucket]:
        """Return the buckets that are not empty, in the order of the axis.

        Args:
            bodies: of the chunks that are `wanted`, by number.

        Raises:
            DecodeError: a body is damaged.
        """
        places: dict[int, _Group] = {}
        exact: list[_Group] = []
        for part in self._parts:
            groups = self._read(bodies, part) if part.groups is None else part.groups
            if self._is_exact:
                exact += groups
                continue
            for group in groups:
                place = self._place(group.start / 2 + group.stop / 2)
                before = places.get(place)
                places[place] = group if before is None else _join(before, group)
        ordered = sorted(exact, key=itemgetter(0)) or [places[place] for place in sorted(places)]
        return [_bucket(group) for group in ordered]

    def _part(self, sketch: Sketch, begin: int, whole: _Group) -> _Part:
        is_inside = self._start <= whole.start and whole.stop <= self._stop
        # Where some points have no x, the chunk's values are not those of the points in view.
        if self._is_exact or not is_inside or whole.points < sketch.stats.points:
            return _Part(sketch.number, begin, None)
        if _half_span(whole.start, whole.stop) <= self._half_width:
            return _Part(sketch.number, begin, [whole])
        return _Part(sketch.number, begin, self._outlined(sketch, begin, whole))

    def _outlined(self, sketch: Sketch, begin: int, whole: _Group) -> list[_Group] | None:
        """Return the chunk's blocks, joined as far as they are narrower than a bucket; else None.

        Raises:
            DecodeError: the outline is damaged.
        """
        if not sketch.outline:
            return None
        columns = stats.blocks(sketch.stats, sketch.outline)
        count = len(columns["v_min"])
        on_average = int(count * (self._half_width / _half_span(whole.start, whole.stop)))
        for together in (on_average, 1):
            if together:
                groups = _groups(sketch.stats, columns, together, self._axis, begin)
                if all(_half_span(g.start, g.stop) <= self._half_width for g in groups):
                    return groups
        return None

    def _read(self, bodies: Mapping[int, bytes], part: _Part) -> list[_Group]:
        """Return the points of a chunk that are in view, in one group a bucket, or a point."""
        places, values = chunks.decode_axis(bodies[part.number], self._axis)
        if self._axis is Axis.INDEX:
            places = range(part.begin, part.begin + len(values))
        if self._axis is Axis.INDEX or all(map(le, places, islice(places, 1, None))):
            return list(self._read_ordered(places, values.tolist()))
        runs: dict[int, tuple[list[float], list[float]]] = {}
        for count, (place, value) in enumerate(zip(places, values, strict=True)):
            if self._start <= place <= self._stop and isfinite(place):
                run = runs.setdefault(count if self._is_exact else self._place(place), ([], []))
                run[0].append(place)
                run[1].append(value)
        return [_group(min(places), max(places), values) for places, values in runs.values()]

    def _read_ordered(self, places: Sequence[float], values: Sequence[float]) -> Iterator[_Group]:
        begin = bisect_left(places, self._start)
        end = bisect_right(places, self._stop)
        while begin < end:
            stop = begin + 1
            if not self._is_exact:
                half_way = (self._place(places[begin]) + 1) * self._half_width
                edge = self._start + half_way + half_way
                stop = max(stop, bisect_left(places, edge, begin, end))
            yield _group(places[begin], places[stop - 1], values[begin:stop])
            begin = stop

    def _place(self, place: float) -> int:
        """Return the number of the bucket that a place on the axis lies in."""
        if self._half_width == 0:
            return 0
        return min(self._buckets - 1, int(_half_span(self._start, place) / self._half_width))


def _half_span(start: float, stop: float) -> float:
    """Return half the way, since the whole way may be longer than the largest double."""
    return stop / 2 - start / 2


def _whole(one: Stats, axis: Axis, begin: int) -> _Group:
    span: tuple[float, float, int] = (begin, begin + one.points - 1, one.points)
    if axis is Axis.TIME:
        span = (one.t_min, one.t_max, one.points)
    elif axis is Axis.X:
        span = (one.x_min, one.x_max, one.xs)
    start, stop, points = span
    return _Group(start, stop, points, *one[1:7])


def _groups(
    one: Stats, blocks: Mapping[str, Sequence[Any]], together: int, axis: Axis, begin: int
) -> list[_Group]:
    """Return so many neighbouring blocks of a chunk at a time as groups."""
    size = stats.BLOCK * together
    begins = range(0, one.points, size)
    count = len(blocks["v_min"])

    def joined(name: str) -> Sequence[Any]:
        column = blocks.get(name)
        if column is None:
            return [0] * len(begins)
        join = stats.JOIN[name]
        return (
            column
            if together == 1
            else [join(column[i : i + together]) for i in range(0, count, together)]
        )

    places: Sequence[Sequence[float]] = (joined("t_min"), joined("t_max"))
    if axis is Axis.X:
        places = (joined("x_min"), joined("x_max"))
    elif axis is Axis.INDEX:
        ends = [min(i + size, one.points) - 1 for i in begins]
        places = [[begin + i for i in begins], [begin + i for i in ends]]
    sizes = [min(size, one.points - i) for i in begins]
    names = ("v_min", "v_max", "v_last", "nans", "positive", "negative")
    return list(map(_Group._make, zip(*places, sizes, *map(joined, names), strict=True)))


def _group(start: float, stop: float, values: Sequence[float]) -> _Group:
    if isfinite(sum(values)):
        return _Group(start, stop, len(values), min(values), max(values), values[-1], 0, 0, 0)
    finite = list(filter(isfinite, values))
    lowest, highest = (min(finite), max(finite)) if finite else (inf, -inf)
    nans = positive = 0
    if len(finite) < len(values):
        nans, positive = sum(map(isnan, values)), sum(value == inf for value in values)
    negative = len(values) - len(finite) - nans - positive
    return _Group(start, stop, len(values), lowest, highest, values[-1], nans, positive, negative)


def _join(one: _Group, later: _Group) -> _Group:
    return _Group(
        min(one.start, later.start),
        max(one.stop, later.stop),
        one.points + later.points,
        min(one.v_min, later.v_min),
        max(one.v_max, later.v_max),
        later.v_last,
        one.nans + later.nans,
        one.positive + later.positive,
        one.negative + later.negative,
    )


def _bucket(group: _Group) -> Bucket:
    has_finite = group.points > group.nans + group.positive + group.negative
    return Bucket(*group) if has_finite else Bucket(*group)._replace(minimum=None, maximum=None)
