"""Metric chunks: up to 4,096 points of a series as one row.

stats     numbers beside the body: what a list or an overview needs of the chunk as a whole
outline   the same per block of 64 points, for overviews that are finer than chunks
body      the points (`bodies`)
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import islice
from math import isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from consumers.views.metric_history import packing, stats
from consumers.views.metric_history.bodies import COLUMNS, TIMES, decode, join
from consumers.views.metric_history.packing import INTEGER, REAL
from consumers.views.metric_history.rows import begin_points
from consumers.views.metric_history.stats import Stats
from synapse_stream.entries.limits import compress
from synapse_stream.entries.position import Position
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from consumers.views.metric_history.rows import Points
    from consumers.views.metric_history.stats import Columns

MOST_POINTS = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring points of one series as one row."""

    number: int
    """Orders the chunks of a series; no two have the same."""
    first: Position
    """The lowest of its points' positions; `last` is the highest."""
    last: Position
    v_sum: float
    """Sum of the finite values."""
    stats: Stats
    outline: bytes
    """What `stats.blocks` reads; empty when there is only one block."""
    body: bytes


def encode_all(series: Sequence[Points]) -> list[list[Chunk]]:
    """Encode several series; quickest for those that share their columns, as a view's may."""
    cut = [_cut(points) for points in series]
    pieces = [piece for mine in cut for piece in mine]
    if not pieces:
        return [[] for _ in series]
    shared = {piece.place: piece for piece in pieces}
    places = dict(zip(shared, _encode_places(list(shared.values())), strict=True))
    chunks = _encode_values(pieces, [places[piece.place] for piece in pieces])
    return [list(islice(chunks, len(mine))) for mine in cut]


def encode(points: Points) -> list[Chunk]:
    """Encode one series."""
    return encode_all([points])[0]


def merge(chunks: Sequence[tuple[int, bytes, int, float]]) -> list[Chunk]:
    """Make few chunks of many: number, body, points and sum of neighbours, by their numbers.

    Raises:
        DecodeError: a body is damaged, or not the one that was written with these numbers.
    """
    points = begin_points(0)
    begins = []
    for number, body, count, v_sum in chunks:
        begins.append(len(points))
        points.extend(_read(number, body, count, v_sum))
    merged = []
    # A merged chunk has the number of its first point: the number of the chunk that this comes
    # from, and how far inside that one it was.
    for chunk in encode(points):  # numbered from 0: by where it begins
        source = bisect_right(begins, chunk.number) - 1
        number = chunks[source][0] + chunk.number - begins[source]
        merged.append(replace(chunk, number=number))
    return merged


def _read(number: int, body: bytes, count: int, v_sum: float) -> Points:
    """Return the points of a chunk, which are these: once merged nothing would tell."""
    found = decode(body)
    total = stats.sum_of_finite(found.values)
    if len(found) != count or (total != v_sum and not (isnan(total) and isnan(v_sum))):
        msg = f"metric chunk {number} holds other points than were written there"
        raise DecodeError(msg)
    return found


class _Piece(NamedTuple):
    """Points of a series that become one chunk."""

    points: Points
    start: int
    size: int

    @property
    def place(self) -> tuple[int, int]:
        """The same for pieces that share all their columns but the values."""
        return id(self.points.times), self.start

    def part(self, name: str) -> array[Any]:
        """Return the piece's part of a column; NaN for xs that there are none of."""
        column = getattr(self.points, name)
        if column is None:
            return array("d", [nan]) * self.size
        part: array[Any] = column[self.start : self.start + self.size]
        return part


class _Places(NamedTuple):
    """What a piece shares with other metrics of the same events: all but values."""

    first: Position
    last: Position
    layout: int
    frame: bytes
    whole: tuple[Any, ...]
    """The fields of the chunk's Stats behind those about values."""
    blocks: Columns


def _cut(points: Points) -> list[_Piece]:
    begins = range(0, len(points), MOST_POINTS)
    return [_Piece(points, begin, min(len(points) - begin, MOST_POINTS)) for begin in begins]


def _column(pieces: Sequence[_Piece], name: str) -> NDArray[np.int64]:
    """Return a column of all pieces, one behind the other; doubles by their bits."""
    return np.frombuffer(b"".join([piece.part(name) for piece in pieces]), INTEGER)


def _encode_places(pieces: Sequence[_Piece]) -> list[_Places]:
    cuts = stats.cuts([piece.size for piece in pieces])
    integers = np.array([_column(pieces, name) for name in ("ms", "seq", "index", "times")])
    xs = _column(pieces, "xs")
    blocks = stats.place_columns(integers[TIMES], xs.view(REAL), cuts)
    packed = packing.transpose(np.vstack([packing.differences(integers, cuts.chunks), xs]))
    made = []
    for piece, begin, first, last, whole, of_piece in zip(
        pieces,
        cuts.chunks.tolist(),
        _extremes(integers[:TIMES], cuts, np.minimum),
        _extremes(integers[:TIMES], cuts, np.maximum),
        stats.wholes(blocks, cuts),
        stats.split(blocks, cuts),
        strict=True,
    ):
        layout = 1 if piece.points.xs is None else 2
        frame = packed[: COLUMNS[layout], :, begin : begin + piece.size].tobytes()
        made.append(_Places(first, last, layout, compress(frame), whole, of_piece))
    return made


def _extremes(
    positions: NDArray[np.int64], cuts: stats.Cuts, extreme: np.ufunc
) -> Iterator[Position]:
    """Return the lowest or highest position of each piece: not always its first or last."""
    # Of the positions (5, 1), (3, 9), (3, 2) the lowest is (3, 2): the lowest ms is 3; what has
    # another ms is out, so its seq becomes one that can never win; the lowest seq left is 2.
    positions = positions.copy()
    sizes = np.diff(cuts.chunks, append=positions.shape[1])
    never = np.iinfo(np.int64).max if extreme is np.minimum else -1
    found = []
    for column in positions:
        found.append(extreme.reduceat(column, cuts.chunks))
        positions[:, column != np.repeat(found[-1], sizes)] = never
    return map(Position, *(column.tolist() for column in found))


def _encode_values(pieces: Sequence[_Piece], places: Sequence[_Places]) -> Iterator[Chunk]:
    cuts = stats.cuts([piece.size for piece in pieces])
    values = _column(pieces, "values")
    blocks = stats.value_columns(values.view(REAL), cuts)
    (packed,) = packing.transpose(values[None])
    for piece, place, begin, whole, of_piece in zip(
        pieces,
        places,
        cuts.chunks.tolist(),
        stats.wholes(blocks, cuts),
        stats.split(blocks, cuts),
        strict=True,
    ):
        one = Stats(*whole, *place.whole)
        frame = packed[:, begin : begin + piece.size].tobytes()
        yield Chunk(
            piece.points.number + piece.start,
            place.first,
            place.last,
            stats.sum_of_finite(piece.part("values")),
            one,
            stats.outline(one, of_piece | place.blocks),
            join(place.layout, piece.size, place.frame, compress(frame)),
        )
