"""Message feeds: rows in.

The rows of a job lie in lanes, one for each kind, level and step that it has. So a page reads only
what it shows, whatever the filter. A job with very many of them has lanes for those of its first
steps; the rows of further ones share *wide* lanes, and name their steps themselves.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import orjson

from consumers.store.directory import Directory
from consumers.store.schema import lane, message
from consumers.store.sql import RowWriter
from consumers.store.table import Part, Table
from consumers.views.message_feed import query
from consumers.views.message_feed.query import USUAL, WIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.folding.differing import Difference
    from consumers.store.engine import Database
    from consumers.store.lease import Lease
    from consumers.views.message_feed.rows import MessageRow, MessageRows
    from synapse_stream.entries.position import Position

LaneKey = tuple[str, str, str | None]
"""Kind, level and step: what the rows of a lane have in common."""

MOST_LANES = 1_000
"""Of a job, but for wide ones: for each, a page asks the database once."""

_ROWS_AT_ONCE = 5_000

_lane_of: Callable[[MessageRow], LaneKey] = operator.attrgetter("kind", "level", "step")
_writer = RowWriter(message)


class MessageTable(Table):
    """Lanes, a row each, and their messages."""

    parts = (Part(lane, message.c.lane_no, message.c.ms, _ROWS_AT_ONCE),)

    def open(self, _connection: Connection, _partition: int) -> Directory[LaneKey]:
        """Return the lanes of a lease."""
        return Directory(lane, ("kind", "level", "step"))

    def write(
        self,
        connection: Connection,
        _lease: Lease,
        book: Directory[LaneKey],
        rows: Mapping[int, Sequence[MessageRow]],
    ) -> None:
        """Add rows to the feeds of jobs."""
        known = book.known(connection, rows)
        keys = {
            job_no: _fitting(known[job_no], dict.fromkeys(map(_lane_of, of_job)))
            for job_no, of_job in rows.items()
        }
        lanes, _ = book.find(connection, keys)
        records = [one for job_no in keys for one in _records(lanes[job_no], rows[job_no])]
        _writer.write(connection, records)

    def read(self, connection: Connection, job_no: int) -> MessageRows:
        """Return every row of a job in the order of the fold."""
        return query.read_all(connection, job_no)

    def differences(
        self, database: Database, live: int | None, staged: int | None, until: Position
    ) -> Iterator[Difference | None]:
        """Compare lane by lane, page by page."""
        return query.differences(database, live, staged, until)


def _fitting(known: Collection[LaneKey], keys: Iterable[LaneKey]) -> list[LaneKey]:
    """Return the lanes that rows need, in their order; wide ones when there are too many."""
    new = [key for key in keys if key not in known]
    room = max(0, MOST_LANES - len(known))
    return list(dict.fromkeys([*new[:room], *map(_wide, new[room:])]))


def _wide(key: LaneKey) -> LaneKey:
    kind, level, _ = key
    return (kind + WIDE, level, None)


def _records(lanes: Mapping[LaneKey, int], rows: Iterable[MessageRow]) -> Iterator[tuple[Any, ...]]:
    for row in rows:  # unpacked at once: twice as fast as asking for each field
        number, ms, seq, line, time, kind, level, step, rank, attempt, content, k, f, d = row
        rare: tuple[Any, ...] = (rank, attempt, k, f, d)
        lane_no = lanes.get((kind, level, step))
        if lane_no is None:
            lane_no, rare = lanes[_wide((kind, level, step))], (*rare, step)
        rest = None if rare == USUAL else orjson.dumps(rare).decode()
        yield (lane_no, ms, seq, line, number, time, content, rest)
