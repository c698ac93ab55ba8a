"""Message feeds: rows in, pages out."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ColumnElement, select, tuple_, union_all

from consumers.projections.base import MessageRow
from consumers.store.engine import driver_of
from consumers.store.schema import message
from consumers.store.search import contains
from synapse_stream.models import LogLevel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Row

    from synapse_stream.position import Position

_LANES = {
    place: lane
    for lane, place in enumerate(product(("message", "dev_event", "log"), map(str, LogLevel)))
}
_PLACES = tuple(_LANES)
_USUAL = (0, 1, None, None, None)
_COLUMNS = tuple(column.name for column in message.columns)
_TYPES = ("int8", "int2", "int8", "int8", "int4", "int8", "int8", "text", "text", "text")
_INSERT = f"INSERT INTO message VALUES ({', '.join('?' * len(_COLUMNS))})"
_COPY = f"COPY message ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"

_position = tuple_(message.c.ms, message.c.seq, message.c.line)
_order = (message.c.ms, message.c.seq, message.c.line, message.c.number)


def write(connection: Connection, rows_of: Iterable[tuple[int, Sequence[MessageRow]]]) -> None:
    """Add rows to the feeds of jobs, which are given by their numbers."""
    records = [record for job_no, rows in rows_of for record in _records(job_no, rows)]
    if not records:
        return
    driver = driver_of(connection)
    if connection.dialect.name == "sqlite":
        driver.executemany(_INSERT, records)
        return
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for record in records:
            copy.write_row(record)


def read_page(
    connection: Connection,
    job_no: int,
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


def _records(job_no: int, rows: Sequence[MessageRow]) -> Iterable[tuple[Any, ...]]:
    for number, ms, seq, line, time, kind, level, step, *rest, content, key, file, details in rows:
        rare = (*rest, key, file, details)
        yield (
            job_no,
            _LANES[kind, level],
            ms,
            seq,
            line,
            number,
            time,
            step,
            content,
            None if rare == _USUAL else orjson.dumps(rare).decode(),
        )


def _row(found: Row[Any]) -> MessageRow:
    kind, level = _PLACES[found.lane]
    rank, attempt, key, file, details = orjson.loads(found.rest) if found.rest else _USUAL
    return MessageRow(
        found.number,
        found.ms,
        found.seq,
        found.line,
        found.time,
        kind,
        level,
        found.step,
        rank,
        attempt,
        found.content,
        key,
        file,
        details,
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
