"""The generation that is being folded against the live one: where the rows differ first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from consumers.folding import differing
from consumers.store import folds
from consumers.store.schema import lane, series
from consumers.views.message_feed import table as messages
from consumers.views.metric_history import query as histories
from consumers.views.metric_history import table as metrics
from synapse_stream.ports.views import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from consumers.folding.differing import Difference
    from consumers.store.engine import Database
    from synapse_stream.entries.position import Position


def compare(
    database: Database, projection: str, staged: str, job_id: str, until: Position
) -> Iterator[Difference | None]:
    """Yield the first difference in each part up to `until`, None where there is none.

    Both generations may grow meanwhile behind `until`. A part is a series, or a page of a lane.
    """
    if projection == metrics.PROJECTION:
        yield from _series(database, projection, staged, job_id, until)
    elif projection == messages.PROJECTION:
        yield from _lanes(database, projection, staged, job_id, until)


def _series(
    database: Database, projection: str, staged: str, job_id: str, until: Position
) -> Iterator[Difference | None]:
    with database.read(f"comparing job {job_id!r}") as connection:
        live, made = (_parts(connection, series, name, job_id) for name in (projection, staged))
    for key in sorted(live.keys() | made.keys()):
        with database.read(f"comparing job {job_id!r}") as connection:
            found, expected = (
                {SeriesKey(key[0], key[1], key[2] or None, key[3]): points}
                if (points := _points(connection, parts.get(key), until))
                else {}
                for parts in (live, made)
            )
        yield differing.of_points(expected, found)


def _lanes(
    database: Database, projection: str, staged: str, job_id: str, until: Position
) -> Iterator[Difference | None]:
    with database.read(f"comparing job {job_id!r}") as connection:
        live, made = (_parts(connection, lane, name, job_id) for name in (projection, staged))
    for key in live.keys() | made.keys():
        after: Any = None
        while True:
            with database.read(f"comparing job {job_id!r}") as connection:
                found, expected = (
                    messages.read_lane(connection, parts.get(key), after, until)
                    for parts in (live, made)
                )
            difference = differing.of_messages(expected, found)
            yield difference
            if difference or not expected:
                break
            last = expected[-1]
            after = (last.ms, last.seq, last.line, last.number)


def _parts(connection: Connection, table: Any, name: str, job_id: str) -> dict[Any, int]:
    names = ("attempt", "rank", "step", "name") if table is series else ("kind", "level", "step")
    of_job = table.c.job_no == folds.number(connection, name, job_id)
    query = select(table.c.no, *(table.c[one] for one in names)).where(of_job)
    # no step is the empty one here, so that keys can be put in order
    return {
        tuple(one or "" if i == 2 else one for i, one in enumerate(key)): no  # noqa: PLR2004
        for no, *key in connection.execute(query)
    }


def _points(connection: Connection, no: int | None, until: Position) -> Any:
    return histories.read_points(connection, no, until) if no is not None else None
