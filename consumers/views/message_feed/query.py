"""Message feeds: pages out."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, bindparam, func, select, tuple_

from consumers.store import jobs
from consumers.store.schema import lane, message
from consumers.store.search import contains
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.message_feed.rows import MessageRow, MessageRows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from consumers.folding.differing import Difference
    from consumers.store.engine import Database
    from synapse_stream.entries.position import Position

PROJECTION = MessageFeedView.name

USUAL = (0, 1, None, None, None)
"""Rank, attempt, key, file and details of most rows."""

WIDE = "…"
"""Behind the kind of a lane that rows of several steps share: they name their steps themselves."""

_ROWS_A_LOOK = 2_000

_place = (message.c.ms, message.c.seq, message.c.line)
_in_order = operator.attrgetter("ms", "seq", "line", "number")


class Filter(NamedTuple):
    """Which rows of a job are wanted; None means all."""

    kinds: Collection[str]
    levels: Collection[str] | None = None
    step: str | None = None
    text: str | None = None
    after: Position | None = None
    before: Position | None = None
    until: Position | None = None

    @property
    def is_backward(self) -> bool:
        """True when the last rows are wanted, not the first behind a position."""
        return self.after is None


def read_page(connection: Connection, job_id: str, wanted: Filter, limit: int) -> list[MessageRow]:
    """Return rows in order: the first that match behind `after`, without it the last ones.

    The first row of each lane tells which lanes can have a part in the page, and how far it goes.
    """
    conditions = _conditions(connection, wanted)
    is_backward = wanted.is_backward
    order = [column.desc() if is_backward else column for column in (*_place, message.c.number)]
    job_no = jobs.number(connection, PROJECTION, job_id)
    heads = _heads(connection, job_no, wanted, conditions, order)
    heads.sort(key=lambda head: head.ms, reverse=is_backward)
    if len(heads) > limit:
        farthest = heads[limit - 1].ms
        near = operator.ge if is_backward else operator.le
        heads = [head for head in heads if near(head.ms, farthest)]
        conditions.append(near(message.c.ms, farthest))
    in_lane = select(message).where(message.c.lane_no == bindparam("lane"), *conditions)
    first = in_lane.order_by(*order).limit(limit)
    found: list[Row[Any]] = []
    for head in heads:
        chosen = first.where(*_of_step(wanted)) if head.kind.endswith(WIDE) else first
        found += connection.execute(chosen, {"lane": head.no})
    found.sort(key=_in_order)
    lanes = {head.no: head for head in heads}
    page = found[-limit:] if is_backward else found[:limit]
    return [_row(lanes[record.lane_no], record) for record in page]


def read_all(connection: Connection, job_no: int) -> MessageRows:
    """Return every row of a job in the order of the fold."""
    query = select(message, lane).join(lane, lane.c.no == message.c.lane_no)
    in_order = query.where(lane.c.job_no == job_no).order_by(message.c.number)
    return MessageRows(_row(record, record) for record in connection.execute(in_order))


def differences(
    database: Database, live: int | None, staged: int | None, until: Position
) -> Iterator[Difference | None]:
    """Compare two generations of a job lane by lane, page by page; see `Table.differences`."""
    doing = "comparing messages"
    with database.read(doing) as connection:
        found, expected = (_lanes_of(connection, no) for no in (live, staged))
    for key in found.keys() | expected.keys():
        after: Any = None
        while True:
            with database.read(doing) as connection:
                there, wanted = (
                    _read_lane(connection, lanes.get(key), after, until)
                    for lanes in (found, expected)
                )
            difference = wanted.first_difference(there)
            yield difference
            if difference or not wanted:
                break
            after = _in_order(wanted[-1])


def _lanes_of(connection: Connection, job_no: int | None) -> dict[Any, int]:
    query = select(lane.c.no, lane.c.kind, lane.c.level, lane.c.step)
    found = connection.execute(query.where(lane.c.job_no == job_no))
    return {tuple(key): no for no, *key in found}


def _read_lane(
    connection: Connection,
    lane_no: int | None,
    after: tuple[int, int, int, int] | None,
    until: Position,
) -> MessageRows:
    """Return some rows of a lane up to `until`, behind the place and number `after`."""
    order = (*_place, message.c.number)
    query = select(message, lane).join(lane, lane.c.no == message.c.lane_no)
    query = query.where(message.c.lane_no == lane_no, tuple_(*_place) <= tuple_(*until))
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*after))
    rows = connection.execute(query.order_by(*order).limit(_ROWS_A_LOOK))
    return MessageRows(_row(row, row) for row in rows)


def _heads(
    connection: Connection,
    job_no: int | None,
    wanted: Filter,
    conditions: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
) -> list[Row[Any]]:
    wide = [kind + WIDE for kind in wanted.kinds]
    is_named = [(lane.c.step == wanted.step) | name for name in _of_step(wanted)]
    first = (
        select(message.c.ms)
        .where(message.c.lane_no == lane.c.no, *conditions, *is_named)
        .order_by(*order)
        .limit(1)
        .scalar_subquery()
    )
    query = select(lane, first.label("ms")).where(
        lane.c.job_no == job_no, lane.c.kind.in_([*wanted.kinds, *wide])
    )
    if wanted.levels is not None:
        query = query.where(lane.c.level.in_(wanted.levels))
    if wanted.step is not None:
        query = query.where(lane.c.kind.in_(wide) | (lane.c.step == wanted.step))
    return [head for head in connection.execute(query) if head.ms is not None]


def _conditions(connection: Connection, wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.text:
        conditions.append(contains(connection, message.c.content, wanted.text))
    if wanted.after is not None:
        conditions.append(tuple_(*_place) > tuple_(*wanted.after))
    if wanted.before is not None:
        conditions.append(tuple_(*_place) < tuple_(*wanted.before))
    if wanted.until is not None:
        conditions.append(tuple_(*_place) <= tuple_(*wanted.until))
    return conditions


def _of_step(wanted: Filter) -> list[ColumnElement[bool]]:
    """Choose the rows of a wide lane that name the step that is wanted, if one is."""
    if wanted.step is None:
        return []
    end = f",{orjson.dumps([wanted.step]).decode()[1:]}"
    start = func.length(message.c.rest) - len(end) + 1
    return [func.substr(message.c.rest, start) == end]


def _row(of_lane: Row[Any], record: Row[Any]) -> MessageRow:
    rest = orjson.loads(record.rest) if record.rest else USUAL
    rank, attempt, key, file, details, *step = rest
    return MessageRow(
        number=record.number,
        ms=record.ms,
        seq=record.seq,
        line=record.line,
        time=record.time,
        kind=of_lane.kind.removesuffix(WIDE),
        level=of_lane.level,
        step=step[0] if step else of_lane.step,
        rank=rank,
        attempt=attempt,
        content=record.content,
        key=key,
        file=file,
        details=details,
    )
