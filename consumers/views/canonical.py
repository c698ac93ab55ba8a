"""One form of a view's content, whatever batches, chunks and database it went through.

What a store holds and what a fresh fold of the stream gives are compared in this form, byte for
byte. After a server lost its tail, the same events come again under other ids, and those of several
ranks in another order: then only that can be equal which does not depend on ids, and this is what
`positions=False` leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.views.metric_history.packing import to_bytes

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Mapping

    from consumers.folding.fold import JobFold
    from consumers.folding.port import MessageRow, Points
    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.ports.views import SeriesKey

_OF_ENTRIES = frozenset({"number", "ms", "seq", "line"})
_OF_ORDER = frozenset({"position", "born", "sign", "shown"})


def of_fold(fold: JobFold, *, positions: bool = True) -> bytes:
    """Return the content of a fold whose rows were never taken: document and rows.

    The rows are taken by this.
    """
    rows = fold.rows()
    if rows is None:
        return of_document(fold.document(), positions=positions)
    write = of_points if isinstance(rows, dict) else of_messages
    return write(rows, positions=positions)


def of_document(document: bytes, *, positions: bool = True) -> bytes:
    """Return a fold's document as its view's content: for run states, which have no rows."""
    content = orjson.loads(document)
    return _line(content if positions else _without(content, _OF_ORDER))


def of_points(series: Mapping[SeriesKey, Points], *, positions: bool = True) -> bytes:
    """Return every point of every series, the series by key, the points in the order of arrival."""
    parts = []
    for key in sorted(series, key=lambda key: (key.attempt, key.rank, key.step or "", key.name)):
        points = series[key]
        parts.append(_line([*key, len(points)]))
        parts += [to_bytes(column) + b"\n" for column in _columns(points, positions=positions)]
    return b"".join(parts)


def are_same_points(
    one: Mapping[SeriesKey, Points], other: Mapping[SeriesKey, Points], *, positions: bool = True
) -> bool:
    """Tell whether `of_points` would give the same, without making it: points may be many."""
    return one.keys() == other.keys() and all(
        len(mine) == len(others) and all(map(_are_same_items, mine, others))
        for mine, others in (
            (_columns(one[key], positions=positions), _columns(other[key], positions=positions))
            for key in one
        )
    )


def of_messages(rows: Iterable[MessageRow], *, positions: bool = True) -> bytes:
    """Return every row of a feed in the order of the feed, or without positions of each rank's."""
    if positions:
        return b"".join(_line(list(row)) for row in rows)
    by_rank = sorted(rows, key=lambda row: (row.attempt, row.rank, row.number))
    names = [name for name in by_rank[0]._fields if name not in _OF_ENTRIES] if by_rank else []
    return b"".join(_line([getattr(row, name) for name in names]) for row in by_rank)


def of_entries(document: bytes, entries: Iterable[RawEntry]) -> bytes:
    """Return a job's manifest and its archived entries, which are unpacked."""
    lines = [document, b"\n"]
    for ms, seq, fields in entries:
        words = [[name.hex(), value.hex()] for name, value in fields.items()]
        lines.append(_line([ms, seq, words]))
    return b"".join(lines)


def _columns(points: Points, *, positions: bool) -> list[array[Any]]:
    columns: list[array[Any]] = [points.times, points.values]
    if points.xs is not None:
        columns.append(points.xs)
    return [*columns, points.ms, points.seq, points.index] if positions else columns


def _are_same_items(one: array[Any], other: array[Any]) -> bool:
    """Compare bits, of items of 8 bytes each: a NaN is the same as itself."""
    return one is other or _bits(one) == _bits(other)


def _bits(column: array[Any]) -> memoryview:
    return memoryview(column).cast("B").cast("Q")


def _line(content: Any) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _without(content: Any, names: frozenset[str]) -> Any:
    if isinstance(content, list):
        return [_without(item, names) for item in content]
    if not isinstance(content, dict):
        return content
    return {key: _without(item, names) for key, item in content.items() if key not in names}
