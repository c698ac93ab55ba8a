"""The courses of series as JSON: small ones at once, large ones column by column as they are read.

The answer of a large run does not fit into memory as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import zstandard

from consumers.api import columns, shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import Axis, Overview, SeriesSummary, Views

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
        points = views.points(job_id, found.key, until=view.until)
        has_x = points.xs is not None and not np.isnan(points.xs).all()
        whole = _fragments(columns.of_points(points))
        return {**summary, **whole, **({} if has_x else {"x": None})}
    overview = _overview(views, job_id, found, view)
    buckets = _fragments(columns.of_buckets(overview))
    return {**summary, "in_view": overview.count, "buckets": buckets}


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
            yield from _bucketed(views, job_id, one, view)
    yield b'],"next":' + orjson.dumps(following) + b"}"


def _overview(views: Views, job_id: str, found: SeriesSummary, view: View) -> Overview:
    return views.overview(
        job_id,
        found.key,
        buckets=max(1, view.points // 2),
        axis=view.axis,
        start=view.start,
        stop=view.stop,
        until=view.until,
    )


def _fragments(encoded: dict[str, bytes]) -> dict[str, orjson.Fragment]:
    return {name: orjson.Fragment(column) for name, column in encoded.items()}


def _bucketed(views: Views, job_id: str, found: SeriesSummary, view: View) -> Iterator[bytes]:
    """Yield a series in buckets, column by column; those that are to come are packed."""
    overview = _overview(views, job_id, found, view)
    head = {**shapes.series_summary(found), "in_view": overview.count}
    packed = [
        zstandard.compress(orjson.dumps(name) + b":" + column, 1)
        for name, column in columns.of_buckets(overview).items()
    ]
    del overview
    yield orjson.dumps(head)[:-1] + b',"buckets":{'
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
    for name, encode in columns.POINTS.items():
        yield b"," + orjson.dumps(name) + b":"
        if name == "x" and not found.has_x:
            yield b"null"
            continue
        yield b"["
        yield from _joined(map(encode, views.pieces(job_id, found.key, until=until)))
        yield b"]"
    yield b"}"


def _joined(lists: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the items of JSON lists with commas between them, much at a time."""
    parts: list[bytes] = []
    size, is_first = 0, True
    for items in lists:
        if items == b"[]":
            continue
        parts.append(items[1:-1])
        size += len(items)
        if size >= _PART_BYTES:
            yield (b"" if is_first else b",") + b",".join(parts)
            parts.clear()
            size, is_first = 0, False
    if parts:
        yield (b"" if is_first else b",") + b",".join(parts)
