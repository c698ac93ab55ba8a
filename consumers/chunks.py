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
from dataclasses import dataclass
from itertools import compress
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from consumers import packing, stats
from consumers.projections.base import Points
from synapse_stream.errors import DecodeError
from synapse_stream.position import Position
from synapse_stream.views import Axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consumers.stats import Columns, Stats

Key = TypeVar("Key")

MOST_POINTS = 4096

_BODY = struct.Struct("<BII")  # layout, points, bytes of the first frame
_LAYOUTS = {1: "qqqq", 2: "qqqqd"}  # ms, seq, index, times and maybe xs
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


def encode_all(series: Mapping[Key, Points]) -> Iterator[tuple[Key, list[Chunk]]]:
    """Encode several series; quickest when those whose points came together stand together."""
    known: list[_Places] = []
    for key, points in series.items():
        known = _places(points, known)
        yield key, [_encode(points, points.number, piece) for piece in known]


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
    for piece in _places(points, []):
        source = bisect_right(begins, piece.start) - 1
        merged.append(_encode(points, chunks[source][0] - begins[source], piece))
    return merged


def encode(points: Points) -> list[Chunk]:
    """Encode one series."""
    return [_encode(points, points.number, piece) for piece in _places(points, [])]


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
    ms, seq, index, times = (packing.sums(column) for column in places[:_XS])
    return Points(0, ms, seq, index, times, values, places[_XS] if len(places) > _XS else None)


def decode_axis(body: bytes, axis: Axis) -> tuple[Sequence[float], array[float]]:
    """Return where the points of a chunk stand on an axis, and their values.

    On the axis `index` they stand at 0, 1, 2 …; a point without x stands at NaN.

    Raises:
        DecodeError: the body is damaged.
    """
    if axis is Axis.INDEX:
        _, count, _, packed = _frames(body)
        values = _values(packed, count)
        return range(count), values
    places, values = _read(body)
    if axis is Axis.TIME:
        return packing.sums(places[_TIMES]), values
    return places[_XS] if len(places) > _XS else array("d", [nan]) * len(values), values


class _Places(NamedTuple):
    """What a piece of a series shares with other metrics of the same events: all but values."""

    start: int
    first: Position
    last: Position
    raw: tuple[bytes, ...]
    frame: bytes
    columns: Columns


def _places(points: Points, known: Sequence[_Places]) -> list[_Places]:
    """Cut a series into pieces; where `known` has the same piece, take that."""
    pieces = []
    for place, start in enumerate(range(0, len(points), MOST_POINTS)):
        part = slice(start, start + MOST_POINTS)
        positions = [points.ms[part], points.seq[part], points.index[part], points.times[part]]
        xs = None if points.xs is None else points.xs[part]
        raw = tuple([column.tobytes() for column in positions] + ([xs.tobytes()] if xs else []))
        if place < len(known) and known[place].raw == raw:
            pieces.append(known[place])
            continue
        packed = [packing.transpose(packing.differences(c).tobytes()) for c in positions]
        if xs is not None:
            packed.append(packing.transpose(raw[_XS]))
        columns = stats.place_columns(positions[_TIMES], xs)
        frame = packing.compress(packed)
        pieces.append(_Places(start, *_span(*positions[:_TIMES]), raw, frame, columns))
    return pieces


def _span(ms: array[int], seq: array[int], index: array[int]) -> tuple[Position, Position]:
    """Return the lowest and the highest position: as a rule, but not always, first and last."""
    places = list(zip(ms, seq, index, strict=True))
    return Position(*min(places)), Position(*max(places))


def _encode(points: Points, number: int, piece: _Places) -> Chunk:
    values = points.values[piece.start : piece.start + MOST_POINTS]
    columns, total = stats.value_columns(values)
    columns = [*columns, *piece.columns]
    layout = len(piece.raw) - _TIMES
    whole = stats.join(columns)
    head = _BODY.pack(layout, len(values), len(piece.frame))
    return Chunk(
        number + piece.start,
        piece.first,
        piece.last,
        total,
        whole,
        stats.outline(whole, columns),
        head + piece.frame + packing.compress([packing.transpose(values.tobytes())]),
    )


def _read(body: bytes) -> tuple[list[array[Any]], array[float]]:
    """Return the columns of the first frame, integers still as differences, and the values."""
    typecodes, count, frame, packed = _frames(body)
    places = packing.split(packing.decompress(frame), typecodes)
    if any(len(column) != count for column in places):
        raise DecodeError(_UNEQUAL.format(count))
    return places, _values(packed, count)


def _frames(body: bytes) -> tuple[str, int, bytes, bytes]:
    """Return the typecodes of the first frame, the number of points, and both frames."""
    try:
        layout, count, size = _BODY.unpack_from(body)
        typecodes = _LAYOUTS[layout]
    except (struct.error, KeyError) as error:
        msg = f"a metric chunk of {len(body)} bytes has no known layout"
        raise DecodeError(msg) from error
    begin = _BODY.size + size
    return typecodes, count, body[_BODY.size : begin], body[begin:]


def _values(packed: bytes, count: int) -> array[float]:
    (values,) = packing.split(packing.decompress(packed), "d")
    if len(values) != count:
        raise DecodeError(_UNEQUAL.format(count))
    return values
