"""Points in numbers: what an overview needs to know of some neighbouring points of a series."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from math import fsum, inf, isfinite, isnan, nan
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from consumers import packing
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BLOCK = 64
"""Points of a block, the last of a chunk aside."""


class Stats(NamedTuple):
    """Some neighbouring points of a series in numbers."""

    points: int
    v_min: float
    """Of the finite values, like `v_max`; inf and -inf when there is none."""
    v_max: float
    v_last: float
    """Value of the last point, NaN and infinities too."""
    nans: int
    positive: int
    """How many values are +Infinity."""
    negative: int
    """How many values are -Infinity."""
    t_min: int
    t_max: int
    xs: int
    """How many points have a finite x; the others have no place on that axis."""
    x_min: float
    """Of those; inf and -inf when there is none."""
    x_max: float


Columns = Sequence[Sequence[Any]]
"""Stats of consecutive blocks: a sequence a field."""

JOIN: dict[str, Callable[[Any], Any]] = {
    "points": sum,
    "v_min": min,
    "v_max": max,
    "v_last": itemgetter(-1),
    "nans": sum,
    "positive": sum,
    "negative": sum,
    "t_min": min,
    "t_max": max,
    "xs": sum,
    "x_min": min,
    "x_max": max,
}
"""How each field of neighbours becomes that of all of them."""

_ALWAYS = {"v_min": "d", "v_max": "d", "v_last": "d", "t_min": "q", "t_max": "q"}
_WITH_X = {"x_min": "d", "x_max": "d"}
_WITH_NON_FINITE = {"nans": "q", "positive": "q", "negative": "q"}


def value_columns(values: array[float]) -> tuple[Columns, float]:
    """Return the fields `points` to `negative` of each block, and the sum of the finite values.

    The sum is rounded once; it is NaN when it is beyond any double.
    """
    blocks = _blocks(values.tolist())
    sizes = list(map(len, blocks))
    last = [block[-1] for block in blocks]
    none = [0] * len(blocks)
    total = _sum(values)
    if isfinite(total):
        lowest, highest = list(map(min, blocks)), list(map(max, blocks))
        return [sizes, lowest, highest, last, none, none, none], total
    finite = [list(filter(isfinite, block)) for block in blocks]
    columns: Columns = [
        sizes,
        [min(block, default=inf) for block in finite],
        [max(block, default=-inf) for block in finite],
        last,
        [sum(map(isnan, block)) for block in blocks],
        [block.count(inf) for block in blocks],
        [block.count(-inf) for block in blocks],
    ]
    return columns, _sum(chain.from_iterable(finite))


def place_columns(times: array[int], xs: array[float] | None) -> Columns:
    """Return the fields `t_min` to `x_max` of each block."""
    blocks = _blocks(times.tolist())
    columns: Columns = [list(map(min, blocks)), list(map(max, blocks))]
    if xs is None:
        return [*columns, [0] * len(blocks), [inf] * len(blocks), [-inf] * len(blocks)]
    finite = _blocks(xs.tolist())
    if not isfinite(_sum(xs)):
        finite = [list(filter(isfinite, block)) for block in finite]
    return [
        *columns,
        list(map(len, finite)),
        [min(block, default=inf) for block in finite],
        [max(block, default=-inf) for block in finite],
    ]


def join(columns: Columns) -> Stats:
    """Return the stats of all blocks as one."""
    return Stats(*(join(column) for join, column in zip(JOIN.values(), columns, strict=True)))


def outline(one: Stats, columns: Columns) -> bytes:
    """Return the columns of the blocks that make up `one`, as far as `one` does not tell them.

    A single block needs no outline. They are not compressed: that would save a twentieth of a
    chunk's bytes and double the time of an overview.
    """
    if len(columns[0]) == 1:
        return b""
    by_name = dict(zip(JOIN, columns, strict=True))
    return b"".join(
        packing.to_bytes(array(typecode, by_name[name]))
        for name, typecode in _outlined(one).items()
    )


def blocks(one: Stats, data: bytes) -> dict[str, array[Any]]:
    """Return the columns of an outline by name; without those that are the same for all blocks.

    These are `points`, which is BLOCK but for the last, what counts non-finite values, if there are
    none, and all about xs, unless every point has one.

    Raises:
        DecodeError: this is no outline of `one`.
    """
    fields = _outlined(one)
    size = -(-one.points // BLOCK) * packing.ITEM
    if len(data) != size * len(fields):
        msg = f"an outline of {one.points} points has {len(data)} bytes, not {size * len(fields)}"
        raise DecodeError(msg)
    return {
        name: packing.from_bytes(typecode, data[place * size : (place + 1) * size])
        for place, (name, typecode) in enumerate(fields.items())
    }


def _outlined(one: Stats) -> dict[str, str]:
    fields = dict(_ALWAYS)
    if one.xs == one.points:
        fields |= _WITH_X
    if one.nans or one.positive or one.negative:
        fields |= _WITH_NON_FINITE
    return fields


def _sum(numbers: Iterable[float]) -> float:
    """Return the sum, rounded once; NaN or an infinity unless all numbers are surely finite."""
    try:
        return fsum(numbers)
    except (OverflowError, ValueError):  # too large, or both infinities among them
        return nan


def _blocks(items: list[Any]) -> list[list[Any]]:
    return [items[i : i + BLOCK] for i in range(0, len(items), BLOCK)]
