"""Points in numbers: what an overview needs to know of some neighbouring points of a series."""

from __future__ import annotations

from array import array
from itertools import chain
from math import fsum, inf, isfinite, isnan, nan
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from consumers import packing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


Columns = list[list[Any]]
"""Stats of consecutive blocks: a list a field."""

_TYPECODES = "qdddqqqqqqdd"
_JOIN: tuple[Callable[[Any], Any], ...] = (
    sum,
    min,
    max,
    itemgetter(-1),
    sum,
    sum,
    sum,
    min,
    max,
    sum,
    min,
    max,
)


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


def join(columns: Sequence[Sequence[Any]]) -> Stats:
    """Return the stats of all blocks as one."""
    return Stats(*(joined(column) for joined, column in zip(_JOIN, columns, strict=True)))


def pack(columns: Columns) -> bytes:
    """Return the columns as bytes."""
    return packing.compress(
        packing.transpose(array(typecode, column).tobytes())
        for typecode, column in zip(_TYPECODES, columns, strict=True)
    )


def unpack(outline: bytes) -> list[Stats]:
    """Return the stats of each block.

    Raises:
        DecodeError: the bytes are damaged.
    """
    columns = packing.split(packing.decompress(outline), _TYPECODES)
    return list(map(Stats._make, zip(*columns, strict=True)))


def _sum(numbers: Iterable[float]) -> float:
    """Return the sum, rounded once; NaN or an infinity unless all numbers are surely finite."""
    try:
        return fsum(numbers)
    except (OverflowError, ValueError):  # too large, or both infinities among them
        return nan


def _blocks(items: list[Any]) -> list[list[Any]]:
    return [items[i : i + BLOCK] for i in range(0, len(items), BLOCK)]
