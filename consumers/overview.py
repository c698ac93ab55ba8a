"""A series in buckets: every extreme stays, and the true count stands beside.

A chunk that is narrower than a bucket counts by its stats, one that is wider by the stats of its
blocks, and only one whose blocks are too wide too, or that sticks out of the view, by its points. What counts by
stats goes into the bucket that its middle lies in. When no more points are in view than there are
buckets, each point is a bucket of its own.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise
from math import inf, isfinite
from operator import le
from typing import TYPE_CHECKING, Any, NamedTuple

from consumers import chunks, stats
from synapse_stream.views import Axis, Bucket

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Mapping, Sequence

    from consumers.stats import Columns, Stats


class Sketch(NamedTuple):
    """A chunk without its body."""

    number: int
    stats: Stats
    outline: bytes


class _Piece(NamedTuple):
    """Points that are counted together."""

    start: float
    stop: float
    count: int
    """How many of them have a place on the axis."""
    stats: Stats


class Overview:
    """Buckets of one series: `wanted` names the bodies that `build` needs."""

    def __init__(
        self,
        sketches: Sequence[Sketch],
        axis: Axis,
        buckets: int,
        start: float | None = None,
        stop: float | None = None,
    ) -> None:
        """Decide what counts how.

        Args:
            sketches: all chunks of the series in the order of their numbers.
            axis: what to cut into buckets.
            buckets: into how many, 1 or more.
            start: the view's first place on the axis, and
            stop: its last; None for the first and last that there is.
        """
        self._axis = axis
        self._buckets = buckets
        begins = accumulate((sketch.stats.points for sketch in sketches), initial=0)
        wholes = [
            (begin, sketch, _piece(sketch.stats, axis, begin))
            for begin, sketch in zip(begins, sketches, strict=False)
        ]
        wholes = [whole for whole in wholes if whole[2].count]
        self._start = min((w.start for _, _, w in wholes), default=0) if start is None else start
        self._stop = max((w.stop for _, _, w in wholes), default=0) if stop is None else stop
        self._width = (self._stop - self._start) / buckets
        seen = [w for w in wholes if w[2].start <= self._stop and w[2].stop >= self._start]
        self._is_exact = sum(whole.count for _, _, whole in seen) <= buckets
        self._parts = [self._part(begin, sketch, whole) for begin, sketch, whole in seen]
        self.wanted = [part[1] for part in self._parts if isinstance(part, tuple)]
