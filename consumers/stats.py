"""Points in numbers: what an overview needs to know of some neighbouring points of a series."""

from __future__ import annotations

from array import array
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


def value_columns(values: array[float]) -> Columns:
    """Return the fields `points` to `negative` of each block."""
    blocks = _blocks(values.tolist())
    last = [block[-1] for block in blocks]
    sizes = [len(block) for block in blocks]
    none = [0] * len(blocks)
    if is_finite(values):
        return [sizes, list(map(min, blocks)), list(map(max, blocks)), last, none, none, none]
    finite = [list(filter(isfinite, block)) for block in blocks]
    return [
        sizes,
        [min(block, default=inf) for block in finite],
        [max(block, default=-inf) for block in finite],
        last,
        [sum(map(isnan, block)) for block in blocks],
        [block.count(inf) for block in blocks],
        [block.count(-inf) for block in blocks],
    ]


def place_columns(times: array[int], xs: array[float] | None) -> Columns:
    """Return the fields `t_min` to `x_max` of each block."""
    blocks = _blocks(times.tolist())
    columns = [list(map(min, blocks)), list(map(max, blocks))]
    if xs is None:
        return [*columns, [0] * len(blocks), [inf] * len(blocks), [-inf] * len(blocks)]
    finite = _blocks(xs.tolist())
    if not is_finite(xs):
        finite = [list(filter(isfinite, block)) for block in finite]
    return [
        *columns,
        list(map(len, finite)),
        [min(block, default=inf) for block in finite],
        [max(block, default=-inf) for block in finite],
    ]


def is_finite(numbers: Iterable[float]) -> bool:
    """Return True when all numbers are surely finite; sums that overflow are not sure."""
    try:
        return isfinite(fsum(numbers))
    except (OverflowError, ValueError):
        return False


def finite_sum(values: array[float]) -> float:
    """Return the sum of the finite values, rounded once; NaN when it is beyond any double."""
    try:
        total = fsum(values)
        return total if isfinite(total) else fsum(filter(isfinite, values))
    except ValueError:  # both infinities
        return finite_sum(array("d", filter(isfinite, values)))
    except OverflowError:
        return nan


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


def _blocks(items: list[Any]) -> list[list[Any]]:
    return [items[i : i + BLOCK] for i in range(0, len(items), BLOCK)]
