"""The courses of series as JSON: small ones at once, large ones column by column as they are read.

One call that encodes some millions of numbers would keep every other thread waiting, and the
answer of a large run does not fit into memory as a whole.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import zstandard

from consumers.api import shapes
from synapse_stream.events.tags import wire_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import Axis, Series, SeriesSummary, Views

_PART_BYTES = 64 * 1024


class View(NamedTuple):
    """What of a series is in view."""

    points: int
    """Most to draw; 0: every point."""
    axis: Axis
    start: float | None
    stop: float | None
    until: Position | None


def size_of(found: SeriesSummary, view: View) -> int:
    """Return about how many points or buckets the course of a series has."""
    return min(found.count, view.points) if view.points else found.count


def course(views: Views, job_id: str, found: SeriesSummary, view: View) -> dict[str, Any]:
    """Return the course of a series as a whole."""
    summary = shapes.series_summary(found)
    if view.points == 0:
        whole = views.points(job_id, found.key, until=view.until)
        return {**summary, **shapes.points(whole)}
    overview = views.overview(
        job_id,
        found.key,
        buckets=max(1, view.points // 2),
        axis=view.axis,
        start=view.start,
        stop=view.stop,
        until=view.until,
    )
    return {**summary, "in_view": overview.count, "buckets": shapes.buckets(overview)}


def answer(
    head: dict[str, Any],
    views: Views,
    job_id: str,
    found: Sequence[SeriesSummary],
    view: View,
    following: str | None,
) -> Iterator[bytes]:
    """Yield a JSON object with `head`, the courses as `series`, and `next`."""
    yield orjson.dumps({**head, "x": view.axis})[:-1] + b',"series":['
    for number, one in enumerate(found):
        if number:
            yield b","
        if view.points == 0:
            yield from _whole(views, job_id, one, view.until)
        else:
            yield from _encoded(course(views, job_id, one, view))
    yield b'],"next":' + orjson.dumps(following) + b"}"


def _encoded(found: dict[str, Any]) -> Iterator[bytes]:
    """Yield an object whose `buckets` are large, a column at a time.

    While a slow client takes them, those that are to come are packed: a fifth of the text, and a
    fiftieth of the numbers as Python has them.
    """
    buckets: dict[str, Any] = found.pop("buckets")
    packed = [
        zstandard.compress(orjson.dumps(name) + b":" + orjson.dumps(buckets.pop(name)), 1)
        for name in list(buckets)
    ]
    yield orjson.dumps(found)[:-1] + b',"buckets":{'
    packed.reverse()
    while packed:
        column = zstandard.decompress(packed.pop())
        for begin in range(0, len(column), _PART_BYTES):
            yield column[begin : begin + _PART_BYTES]
        yield b"," if packed else b"}}"


def _whole(
    views: Views, job_id: str, found: SeriesSummary, until: Position | None
) -> Iterator[bytes]:
    """Yield every point of a series: it is read once for each column, so that none is kept."""
    yield orjson.dumps(shapes.series_summary(found))[:-1]
    for name, column in _COLUMNS.items():
        yield b"," + orjson.dumps(name) + b":"
        if name == "x" and not found.has_x:
            yield b"null"
            continue
        yield b"["
        yield from _joined(map(column, views.pieces(job_id, found.key, until=until)))
        yield b"]"
    yield b"}"


def _joined(lists: Iterator[list[Any]]) -> Iterator[bytes]:
    """Yield the items of lists with commas between them, much at a time."""
    parts: list[bytes] = []
    size, is_first = 0, True
    for items in filter(None, lists):
        parts.append(orjson.dumps(items)[1:-1])
        size += len(parts[-1])
        if size >= _PART_BYTES:
            yield (b"" if is_first else b",") + b",".join(parts)
            parts, size, is_first = [], 0, False
    if parts:
        yield (b"" if is_first else b",") + b",".join(parts)


def _xs(piece: Series) -> list[Any]:
    if piece.xs is None:
        return [None] * len(piece)
    return [None if isnan(x) else wire_number(x) for x in piece.xs]


_COLUMNS: dict[str, Callable[[Series], list[Any]]] = {
    "x": _xs,
    "time": lambda piece: piece.times.tolist(),
    "value": lambda piece: [wire_number(value) for value in piece.values],
    "position": lambda piece: [str(place) for place in piece.positions],
}
