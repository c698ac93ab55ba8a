"""Metric chunks: up to 4,096 points of a series as one row.

    stats     numbers beside the body: what a list or an overview needs of the chunk as a whole
    outline   the same per block of 64 points, for overviews that are finer than chunks
    body      the points: positions, times and xs in one frame, values in another

A series with the same positions, times and xs as the one before it, as of metrics that are reported
together, takes over the first frame as it is.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import compress, islice
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from consumers import packing, stats
from consumers.packing import INTEGER, REAL
from consumers.projections.base import Points
from consumers.stats import Stats
from synapse_stream.errors import DecodeError
from synapse_stream.position import Position
from synapse_stream.views import Axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from consumers.stats import Columns

MOST_POINTS = 4096

_BODY = struct.Struct("<BII")  # layout, points, bytes of the first frame
_COLUMNS = {1: 4, 2: 5}  # by layout: ms, seq, index, times and maybe xs
_TIMES, _XS = 3, 4
_UNEQUAL = "a metric chunk of {} points has columns of other lengths"


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


def merge(chunks: Sequence[tuple[int, bytes]]) -> list[Chunk]:
    """Make few chunks of many: number and body of neighbours, in the order of their numbers.

    Raises:
        DecodeError: a body is damaged.
    """
    points = decode(chunks[0][1])
    begins = [0]
    for _, body in chunks[1:]:
        begins.append(len(points))
        points.extend(decode(body))
    merged = []
    for chunk in encode(points):  # numbered from 0: by where it begins
        source = bisect_right(begins, chunk.number) - 1
        number = chunks[source][0] + chunk.number - begins[source]
        merged.append(replace(chunk, number=number))
    return merged


def cut(number: int, body: bytes, until: Position) -> Points:
    """Return the points of a chunk that do not stand behind `until`.

    Raises:
        DecodeError: the body is damaged.
    """
    points = decode(body)
    kept = [place <= until for place in zip(points.ms, points.seq, points.index, strict=True)]

    def column(items: array[Any]) -> array[Any]:
        return array(items.typecode, compress(items, kept))

    positions = (column(points.ms), column(points.seq), column(points.index))
    xs = None if points.xs is None else column(points.xs)
    return Points(number, *positions, column(points.times), column(points.values), xs)


def decode(body: bytes) -> Points:
    """Return the points of a chunk.

    Raises:
        DecodeError: the body is damaged.
    """
    places, values = _read(body)
    ms, seq, index, times = (array("q", packing.sums(c).tobytes()) for c in places[:_XS])
    xs = array("d", places[_XS].tobytes()) if len(places) > _XS else None
    return Points(0, ms, seq, index, times, array("d", values.tobytes()), xs)


def decode_axis(body: bytes, axis: Axis) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return where the points of a chunk stand on an axis, and their values.

    On the axis `index` they stand at 0, 1, 2 …; a point without x stands at NaN.

    Raises:
        DecodeError: the body is damaged.
    """
    if axis is Axis.INDEX:
        _, count, _, packed = _frames(body)
        return np.arange(count), _values(packed, count)
    places, values = _read(body)
    if axis is Axis.TIME:
        return packing.sums(places[_TIMES]), values
    if len(places) > _XS:
        return places[_XS].view(REAL), values
    return np.full(len(values), np.nan), values


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
    blocks = stats.place_columns(integers[_TIMES], xs.view(REAL), cuts)
    packed = packing.transpose(np.vstack([packing.differences(integers, cuts.chunks), xs]))
    made = []
    for piece, begin, first, last, whole, of_piece in zip(
        pieces,
        cuts.chunks.tolist(),
        _extremes(integers[:_TIMES], cuts, np.minimum),
        _extremes(integers[:_TIMES], cuts, np.maximum),
        stats.wholes(blocks, cuts),
        stats.split(blocks, cuts),
        strict=True,
    ):
        layout = 1 if piece.points.xs is None else 2
        frame = packed[: _COLUMNS[layout], :, begin : begin + piece.size].tobytes()
        made.append(_Places(first, last, layout, packing.compress(frame), whole, of_piece))
    return made


def _extremes(
    positions: NDArray[np.int64], cuts: stats.Cuts, extreme: np.ufunc
) -> Iterator[Position]:
    """Return the lowest or highest position of each piece: not always its first or last."""
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
            _BODY.pack(place.layout, piece.size, len(place.frame))
            + place.frame
            + packing.compress(frame),
        )


def _read(body: bytes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the columns of the first frame, positions and times as differences, and the values."""
    columns, count, frame, packed = _frames(body)
    places = packing.unpack(frame, columns)
    if places.shape[1] != count:
        raise DecodeError(_UNEQUAL.format(count))
    return places, _values(packed, count)


def _frames(body: bytes) -> tuple[int, int, bytes, bytes]:
    """Return the number of columns of the first frame, that of points, and both frames."""
    try:
        layout, count, size = _BODY.unpack_from(body)
        columns = _COLUMNS[layout]
    except (struct.error, KeyError) as error:
        msg = f"a metric chunk of {len(body)} bytes has no known layout"
        raise DecodeError(msg) from error
    begin = _BODY.size + size
    return columns, count, body[_BODY.size : begin], body[begin:]


def _values(packed: bytes, count: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = packing.unpack(packed, 1)[0].view(REAL)
    if len(values) != count:
        raise DecodeError(_UNEQUAL.format(count))
    return values
