"""A series in buckets: every extreme stays, and the true count stands beside.

A chunk that is narrower than a bucket counts as a whole, one that is wider by its blocks, and only
one whose blocks are too wide as well, or that sticks out of the view, by its points. Chunks and
blocks go into the bucket in which their middle lies. When there are no more points in view than
buckets, each point is a bucket of its own.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from consumers.views.metric_history import bodies, stats
from consumers.views.metric_history.stats import Stats
from synapse_stream.ports.views import Axis, Bucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from consumers.views.metric_history.stats import Columns

    Groups = NDArray[np.float64]
    """Points that count together: a row a field of Bucket, a column a group. Integers up to 2**53
    are exact; the minimum of no finite value is inf, and the maximum -inf."""

START, STOP, POINTS, MINIMUM, MAXIMUM, LAST, NANS, POSITIVE, NEGATIVE = range(len(Bucket._fields))
_SUMS = [POINTS, NANS, POSITIVE, NEGATIVE]


class Sketch(NamedTuple):
    """A chunk without its body."""

    number: int
    stats: Stats
    outline: bytes


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
        columns = _columns([sketch.stats for sketch in sketches])
        points = columns["points"]
        begins = np.cumsum(points) - points
        wholes = _groups(columns, axis, begins, points)
        has_place = wholes[POINTS] > 0
        first, last = wholes[START, has_place], wholes[STOP, has_place]
        self._start = float(first.min(initial=inf)) if start is None else start
        self._stop = float(last.max(initial=-inf)) if stop is None else stop
        self._half_width = _half_span(self._start, self._stop) / buckets
        is_seen = has_place & (wholes[START] <= self._stop) & (wholes[STOP] >= self._start)
        self._is_exact = wholes[POINTS, is_seen].sum() <= buckets
        is_inside = (wholes[START] >= self._start) & (wholes[STOP] <= self._stop)
        # Where some points have no x, the chunk's values are not those of the points in view.
        is_known = is_seen & is_inside & (wholes[POINTS] == points) & (not self._is_exact)
        is_narrow = is_known & self._are_narrow(wholes)
        self._counted = [(np.flatnonzero(is_narrow), wholes[:, is_narrow])]
        by_points = is_seen & ~is_narrow
        for chosen in _alike(sketches, np.flatnonzero(is_known & ~is_narrow)):
            by_points[self._count_blocks(sketches, chosen, begins[chosen])] = False
        self._read_whole = {
            sketches[i].number: (i, float(begins[i])) for i in np.flatnonzero(by_points).tolist()
        }
        self.wanted = list(self._read_whole)

    def build(self, bodies: Mapping[int, bytes]) -> dict[str, NDArray[Any]]:
        """Return the buckets that are not empty, in the order of the axis, as `Overview.columns`.

        Args:
            bodies: of the chunks that are `wanted`, by number.

        Raises:
            DecodeError: a body is damaged.
        """
        counted = list(self._counted)
        for number, (chunk, begin) in self._read_whole.items():
            groups = self._read(bodies[number], begin)
            counted.append((np.full(groups.shape[1], chunk), groups))
        of_chunk = np.concatenate([place for place, _ in counted])
        groups = np.concatenate([groups for _, groups in counted], axis=1)
        groups = groups[:, np.argsort(of_chunk, kind="stable")]
        if self._is_exact:
            return self._as_columns(groups[:, np.argsort(groups[START], kind="stable")])
        return self._as_columns(self._gathered(groups))

    def _are_narrow(self, groups: Groups) -> NDArray[np.bool_]:
        narrow: NDArray[np.bool_] = _half_span(groups[START], groups[STOP]) <= self._half_width
        return narrow

    def _count_blocks(
        self, sketches: Sequence[Sketch], chosen: NDArray[np.intp], begins: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Count chunks whose outlines are alike by their blocks; return those where that will do.

        Raises:
            DecodeError: an outline is damaged.
        """
        blocks = _blocks([sketches[i] for i in chosen.tolist()], self._axis, begins)
        fits = self._are_narrow(blocks).all(axis=1)
        groups = blocks[:, fits]
        self._counted.append(
            (np.repeat(chosen[fits], groups.shape[2]), groups.reshape(len(groups), -1))
        )
        return chosen[fits]

    def _read(self, body: bytes, begin: float) -> Groups:
        """Return the points of a chunk that are in view, in one group a bucket, or a point."""
        places, values = bodies.decode_axis(body, self._axis)
        if self._axis is Axis.INDEX:
            places = places + begin
        is_seen = np.isfinite(places) & (places >= self._start) & (places <= self._stop)
        places, values = places[is_seen], values[is_seen]
        is_finite = np.isfinite(values)
        points = np.array(
            [
                places,
                places,
                np.ones(len(places)),
                np.where(is_finite, values, inf),
                np.where(is_finite, values, -inf),
                values,
                np.isnan(values),
                values == inf,
                values == -inf,
            ]
        )
        return points if self._is_exact else self._gathered(points)

    def _gathered(self, groups: Groups) -> Groups:
        """Return groups, which come in the order of arrival, in one a bucket."""
        if self._half_width == 0:
            places = np.zeros(groups.shape[1])
        else:
            middles = groups[START] / 2 + groups[STOP] / 2
            places = np.floor(_half_span(self._start, middles) / self._half_width)
        places = np.minimum(places, self._buckets - 1)
        # Brought together by bucket, and within one in the order of arrival, the groups of a bucket
        # stand from its number in `firsts` up to the next one's: the last of them has its LAST.
        order = np.argsort(places, kind="stable")
        groups = groups[:, order]
        firsts = np.flatnonzero(np.diff(places[order], prepend=-1))
        gathered = groups[:, np.append(firsts, groups.shape[1])[1:] - 1]
        for rows, join in (
            ([START, MINIMUM], np.minimum),
            ([STOP, MAXIMUM], np.maximum),
            (_SUMS, np.add),
        ):
            gathered[rows] = join.reduceat(groups[rows], firsts, axis=1)
        return gathered

    def _as_columns(self, groups: Groups) -> dict[str, NDArray[Any]]:
        whole = _SUMS if self._axis is Axis.X else [START, STOP, *_SUMS]
        return {
            name: np.array(column, np.int64 if row in whole else np.float64, order="C")
            for row, (name, column) in enumerate(zip(Bucket._fields, groups, strict=True))
        }


def _half_span(start: Any, stop: Any) -> Any:
    """Return half the way, since the whole way may be longer than the largest double."""
    return stop / 2 - start / 2


def _columns(rows: Sequence[Stats]) -> Columns:
    columns = np.array(rows, float).reshape(-1, len(Stats._fields)).T
    return dict(zip(Stats._fields, columns, strict=True))


def _alike(sketches: Sequence[Sketch], chosen: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the chosen chunks that have an outline, by its shape."""
    by_shape: dict[Any, list[int]] = {}
    for i in chosen.tolist():
        if sketches[i].outline:
            by_shape.setdefault(stats.shape(sketches[i].stats), []).append(i)
    return [np.array(alike) for alike in by_shape.values()]


def _blocks(sketches: Sequence[Sketch], axis: Axis, begins: NDArray[np.float64]) -> Groups:
    """Return the blocks of chunks whose outlines are alike as groups, a row a chunk.

    Raises:
        DecodeError: an outline is damaged.
    """
    columns = stats.blocks(sketches[0].stats, [sketch.outline for sketch in sketches])
    sizes = np.array([[sketch.stats.points] for sketch in sketches])
    before = np.arange(columns["v_min"].shape[1]) * stats.BLOCK
    return _groups(columns, axis, begins[:, None] + before, np.minimum(sizes - before, stats.BLOCK))


def _groups(columns: Columns, axis: Axis, begins: NDArray[Any], points: NDArray[Any]) -> Groups:
    """Return neighbouring points as groups, given their stats and how many come before each."""
    places = begins, begins + points - 1, points
    if axis is Axis.TIME:
        places = columns["t_min"], columns["t_max"], points
    elif axis is Axis.X:
        places = columns["x_min"], columns["x_max"], columns.get("xs", points)
    none = np.zeros(points.shape)
    names = ("v_min", "v_max", "v_last", "nans", "positive", "negative")
    return np.array([*places, *(columns.get(name, none) for name in names)])
