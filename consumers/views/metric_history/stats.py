"""Points in numbers: what an overview needs to know of some neighbouring points of a series."""

from __future__ import annotations

from math import fsum, inf, isfinite, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from consumers.views.metric_history.packing import INTEGER, ITEM, REAL
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Columns = dict[str, NDArray[Any]]

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


_JOIN = {
    "points": np.add,
    "v_min": np.minimum,
    "v_max": np.maximum,
    "nans": np.add,
    "positive": np.add,
    "negative": np.add,
    "t_min": np.minimum,
    "t_max": np.maximum,
    "xs": np.add,
    "x_min": np.minimum,
    "x_max": np.maximum,
}
"""How each field of neighbours becomes that of all of them, where it is not that of the last."""

_ALWAYS = {"v_min": REAL, "v_max": REAL, "v_last": REAL, "t_min": INTEGER, "t_max": INTEGER}
_WITH_X = {"x_min": REAL, "x_max": REAL}
_WITH_NON_FINITE = {"nans": INTEGER, "positive": INTEGER, "negative": INTEGER}


class Cuts(NamedTuple):
    """Where columns that hold several chunks, one behind the other, are cut."""

    chunks: NDArray[np.intp]
    """Where each chunk begins, in points; in none of these columns is one empty."""
    blocks: NDArray[np.intp]
    """Where each block begins, in points."""
    firsts: NDArray[np.intp]
    """Which block is the first of each chunk."""


def cuts(sizes: Sequence[int]) -> Cuts:
    """Cut columns that hold chunks of so many points.

    With BLOCK = 64, chunks of 100 and 10 points have the blocks [0, 64) and [64, 100), then
    [100, 110): `chunks` is [0, 100], `blocks` [0, 64, 100] and `firsts` [0, 2].
    """
    points = np.array(sizes)
    chunks = np.cumsum(points) - points
    counts = -(-points // BLOCK)
    firsts = np.cumsum(counts) - counts
    # Block i begins at i * BLOCK, moved by as much as its chunk begins elsewhere.
    blocks = np.arange(counts.sum()) * BLOCK + np.repeat(chunks - firsts * BLOCK, counts)
    return Cuts(chunks, blocks, firsts)


def value_columns(values: NDArray[np.float64], cut: Cuts) -> Columns:
    """Return the fields `points` to `negative` of every block."""
    begins = cut.blocks
    ends = np.append(begins[1:], len(values))
    is_finite = np.isfinite(values)
    return {
        "points": ends - begins,
        "v_min": np.minimum.reduceat(np.where(is_finite, values, inf), begins),
        "v_max": np.maximum.reduceat(np.where(is_finite, values, -inf), begins),
        "v_last": values[ends - 1],
        "nans": _count(np.isnan(values), begins),
        "positive": _count(values == inf, begins),
        "negative": _count(values == -inf, begins),
    }


def place_columns(times: NDArray[np.int64], xs: NDArray[np.float64], cut: Cuts) -> Columns:
    """Return the fields `t_min` to `x_max` of every block; a point without x has NaN."""
    begins = cut.blocks
    is_finite = np.isfinite(xs)
    return {
        "t_min": np.minimum.reduceat(times, begins),
        "t_max": np.maximum.reduceat(times, begins),
        "xs": _count(is_finite, begins),
        "x_min": np.minimum.reduceat(np.where(is_finite, xs, inf), begins),
        "x_max": np.maximum.reduceat(np.where(is_finite, xs, -inf), begins),
    }


def wholes(columns: Mapping[str, NDArray[Any]], cut: Cuts) -> Iterator[tuple[Any, ...]]:
    """Return the fields of every chunk, given those of its blocks."""
    lasts = np.append(cut.firsts[1:], len(cut.blocks)) - 1
    joined = [
        _JOIN[name].reduceat(column, cut.firsts) if name in _JOIN else column[lasts]
        for name, column in columns.items()
    ]
    return zip(*(column.tolist() for column in joined), strict=True)


def split(columns: Mapping[str, NDArray[Any]], cut: Cuts) -> Iterator[Columns]:
    """Return the columns of each chunk's blocks."""
    ends = np.append(cut.firsts[1:], len(cut.blocks))
    for begin, end in zip(cut.firsts.tolist(), ends.tolist(), strict=True):
        yield {name: column[begin:end] for name, column in columns.items()}


def sum_of_finite(values: Sequence[float]) -> float:
    """Return the sum of the finite values, rounded once; NaN when it is beyond any double."""
    total = _sum(values)
    return total if isfinite(total) else _sum(filter(isfinite, values))


def outline(one: Stats, columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the columns of the blocks that make up `one`, as far as `one` does not tell them.

    A single block needs no outline. They are not compressed: that would save a twentieth of a
    chunk's bytes and double the time of an overview.
    """
    if one.points <= BLOCK:
        return b""
    fields = _outlined(one)
    return b"".join(columns[name].astype(kind).tobytes() for name, kind in fields.items())


def shape(one: Stats) -> tuple[tuple[str, ...], int]:
    """Return what outlines that `blocks` can read together have in common."""
    return tuple(_outlined(one)), -(-one.points // BLOCK)


def blocks(one: Stats, outlines: Sequence[bytes]) -> Columns:
    """Return the columns of outlines by name, with a row a chunk; all have the shape of `one`'s.

    Columns that are the same for all blocks are left out: `points`, which is BLOCK but for the
    last, what counts non-finite values, if there are none, and all about xs, unless every point has
    one.

    Raises:
        DecodeError: one is no outline of that shape.
    """
    fields = _outlined(one)
    count = -(-one.points // BLOCK)
    size = count * ITEM * len(fields)
    wrong = next((len(data) for data in outlines if len(data) != size), None)
    if wrong is not None:
        msg = f"an outline of {one.points} points has {wrong} bytes, not {size}"
        raise DecodeError(msg)
    rows = np.frombuffer(b"".join(outlines), INTEGER).reshape(-1, len(fields), count)
    return {name: rows[:, i].view(kind) for i, (name, kind) in enumerate(fields.items())}


def _outlined(one: Stats) -> dict[str, np.dtype[Any]]:
    fields: dict[str, np.dtype[Any]] = dict(_ALWAYS)
    if one.xs == one.points:
        fields |= _WITH_X
    if one.nans or one.positive or one.negative:
        fields |= _WITH_NON_FINITE
    return fields


def _count(marks: NDArray[np.bool_], begins: NDArray[np.intp]) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.add.reduceat(marks, begins, dtype=np.int64)
    return counts


def _sum(numbers: Iterable[float]) -> float:
    """Return the sum, rounded once; NaN or an infinity unless all numbers are surely finite."""
    try:
        return fsum(numbers)
    except (OverflowError, ValueError):  # too large, or both infinities among them
        return nan
