"""Message feeds: rows in, pages out."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ColumnElement, select, tuple_, union_all

from consumers.projections.base import MessageRow
from consumers.store.bulk import RowWriter
from consumers.store.schema import message
from consumers.store.search import contains
from synapse_stream.models import LogLevel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from synapse_stream.position import Position

PROJECTION = "message-feed"

_LANES = {
    place: lane
    for lane, place in enumerate(product(("message", "dev_event", "log"), map(str, LogLevel)))
}
_PLACES = tuple(_LANES)
_NO_TEXTS: list[Any] = [None, None, None]  # key, file and details
_writer = RowWriter(message)

_position = tuple_(message.c.ms, message.c.seq, message.c.line)
_order = (message.c.ms, message.c.seq, message.c.line, message.c.number)


def write(connection: Connection, rows_of: Iterable[tuple[int, Sequence[MessageRow]]]) -> None:
    """Add rows to the feeds of jobs, which are given by their numbers."""
    _writer.write(
        connection, [record for job_no, rows in rows_of for record in _records(job_no, rows)]
    )


def read_page(
    connection: Connection,
    job_no: int | None,
    *,
    kinds: Sequence[str],
    levels: Sequence[str] | None,
    step: str | None,
    text: str | None,
    after: Position | None,
    before: Position | None,
    limit: int,
) -> list[MessageRow]:
    """Return rows in order: the first behind `after`, or if only `before` is given the last before.

    Each kind and level is one range of the index, so what is filtered out by them is never read.
    """
    is_backward = after is None and before is not None
    order = [column.desc() if is_backward else column for column in _order]
    filters = _filters(step, text, after, before)
    lanes = [
        select(message)
        .where(message.c.job_no == job_no, message.c.lane == lane, *filters)
        .order_by(*order)
        .limit(limit)
        .subquery()
        for lane, (kind, level) in enumerate(_PLACES)
        if kind in kinds and (levels is None or level in levels)
    ]
    if not lanes:
        return []
    merged = union_all(*(select(lane) for lane in lanes)).subquery()
    names = ("ms", "seq", "line", "number")
    columns = [merged.c[name] for name in names]
    ordered = select(merged).order_by(*(c.desc() if is_backward else c for c in columns))
    rows = [_row(found) for found in connection.execute(ordered.limit(limit))]
    return rows[::-1] if is_backward else rows


def read_all(connection: Connection, job_no: int) -> list[MessageRow]:
    """Return every row of a job in the order of the fold."""
    query = select(message).where(message.c.job_no == job_no).order_by(message.c.number)
    return [_row(found) for found in connection.execute(query)]


def _records(job_no: int, rows: Sequence[MessageRow]) -> Iterator[tuple[Any, ...]]:
    for number, ms, seq, line, time, kind, level, step, rank, attempt, content, *texts in rows:
        is_usual = rank == 0 and attempt == 1 and texts == _NO_TEXTS
        rest = None if is_usual else orjson.dumps([rank, attempt, *texts]).decode()
        lane = _LANES[kind, level]
        yield (job_no, lane, ms, seq, line, number, time, step, content, rest)


def _row(found: Row[Any]) -> MessageRow:
    kind, level = _PLACES[found.lane]
    rest = orjson.loads(found.rest) if found.rest else (0, 1, *_NO_TEXTS)
    rank, attempt, key, file, details = rest
    return MessageRow(
        number=found.number,
        ms=found.ms,
        seq=found.seq,
        line=found.line,
        time=found.time,
        kind=kind,
        level=level,
        step=found.step,
        rank=rank,
        attempt=attempt,
        content=found.content,
        key=key,
        file=file,
        details=details,
    )


def _filters(
    step: str | None, text: str | None, after: Position | None, before: Position | None
) -> list[ColumnElement[bool]]:
    filters: list[ColumnElement[bool]] = []
    if step is not None:
        filters.append(message.c.step == step)
    if text:
        filters.append(contains(message.c.content, text))
    if after is not None:
        filters.append(_position > tuple_(*after))
    if before is not None:
        filters.append(_position < tuple_(*before))
    return filters
