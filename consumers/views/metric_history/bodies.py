"""The body of a metric chunk: its points as bytes.

Positions, times and xs are in one frame, values in another. A series with the same positions, times
and xs as the one before it, as of metrics that are reported together, takes over the first frame as
it is.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from consumers.views.metric_history import packing
from consumers.views.metric_history.packing import REAL
from consumers.views.metric_history.rows import Points, begin_points
from synapse_stream.errors import DecodeError
from synapse_stream.ports.views import Axis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from synapse_stream.entries.position import Position

COLUMNS = {1: 4, 2: 5}
"""By layout the columns of the first frame: ms, seq, index, times and maybe xs."""

TIMES = 3
_XS = 4
_HEAD = struct.Struct("<BII")  # layout, points, bytes of the first frame
_UNEQUAL = "a metric chunk of {} points has columns of other lengths"


def join(layout: int, points: int, places: bytes, values: bytes) -> bytes:
    """Return the body with these two frames."""
    return _HEAD.pack(layout, points, len(places)) + places + values


def cut(number: int, body: bytes, until: Position) -> Points:
    """Return the points of a chunk that do not stand behind `until`.

    Raises:
        DecodeError: the body is damaged.
    """
    return replace(up_to(decode(body), until), number=number)


def up_to(points: Points, until: Position) -> Points:
    """Return the points that do not stand behind `until`."""
    kept = [place <= until for place in zip(points.ms, points.seq, points.index, strict=True)]

    def column(items: array[Any]) -> array[Any]:
        return array(items.typecode, compress(items, kept))

    positions = (column(points.ms), column(points.seq), column(points.index))
    xs = None if points.xs is None else column(points.xs)
    return Points(points.number, *positions, column(points.times), column(points.values), xs)


def decode(body: bytes) -> Points:
    """Return the points of a chunk.

    Raises:
        DecodeError: the body is damaged.
    """
    places, values = _read(body)
    ms, seq, index, times = (array("q", packing.sums(c).tobytes()) for c in places[:_XS])
    xs = array("d", places[_XS].tobytes()) if len(places) > _XS else None
    return Points(0, ms, seq, index, times, array("d", values.tobytes()), xs)


def decode_all(series: Iterable[Sequence[bytes]]) -> list[Points]:
    """Return the points of several series, each from the bodies of its chunks in their order.

    Series whose chunks took over their first frames from each other share their columns.

    Raises:
        DecodeError: a body is damaged.
    """
    known: dict[tuple[bytes, ...], Points] = {}
    decoded = []
    for bodies in series:
        heads = tuple([body[: len(body) - len(_frames(body)[-1])] for body in bodies])
        if heads in known:
            decoded.append(replace(known[heads], values=_values_of(bodies)))
            continue
        points = known[heads] = begin_points(0)
        for body in bodies:
            points.extend(decode(body))
        decoded.append(points)
    return decoded


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
        return packing.sums(places[TIMES]), values
    if len(places) > _XS:
        return places[_XS].view(REAL), values
    return np.full(len(values), np.nan), values


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
        layout, count, size = _HEAD.unpack_from(body)
        columns = COLUMNS[layout]
    except (struct.error, KeyError) as error:
        msg = f"a metric chunk of {len(body)} bytes has no known layout"
        raise DecodeError(msg) from error
    begin = _HEAD.size + size
    return columns, count, body[_HEAD.size : begin], body[begin:]


def _values_of(bodies: Iterable[bytes]) -> array[float]:
    """Return the values of a series, without decoding what stands beside them."""
    values = array("d")
    for body in bodies:
        _, count, _, packed = _frames(body)
        values.frombytes(_values(packed, count).tobytes())
    return values


def _values(packed: bytes, count: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = packing.unpack(packed, 1)[0].view(REAL)
    if len(values) != count:
        raise DecodeError(_UNEQUAL.format(count))
    return values
