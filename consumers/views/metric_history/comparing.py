"""Metric histories as a whole: all of a job, and two generations of one compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from consumers.store.schema import series
from consumers.views.metric_history.bodies import decode_all
from consumers.views.metric_history.query import KEY, read_chunks, read_points
from consumers.views.metric_history.rows import PointRows, in_order
from synapse_stream.ports.views import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from consumers.folding.differing import Difference
    from consumers.store.engine import Database
    from synapse_stream.entries.position import Position


def read_all(connection: Connection, job_no: int) -> PointRows:
    """Return all points of a job by series; series may share columns."""
    found = connection.execute(select(series).where(series.c.job_no == job_no)).all()
    bodies = ([body for body, _ in read_chunks(connection, row.no)] for row in found)
    keys = (SeriesKey(row.attempt, row.rank, row.step, row.name) for row in found)
    return PointRows(zip(keys, decode_all(bodies), strict=True))


def differences(
    database: Database, live: int | None, staged: int | None, until: Position
) -> Iterator[Difference | None]:
    """Compare two generations of a job series by series, as `Table.differences` has it."""
    doing = "comparing series"
    with database.read(doing) as connection:
        found, expected = (_series_of(connection, no) for no in (live, staged))
    for key in sorted(found.keys() | expected.keys(), key=in_order):
        with database.read(doing) as connection:
            there, wanted = (
                PointRows({key: points})
                if key in numbers and (points := read_points(connection, numbers[key], until))
                else PointRows()
                for numbers in (found, expected)
            )
        yield wanted.first_difference(there)


def _series_of(connection: Connection, job_no: int | None) -> dict[SeriesKey, int]:
    query = select(series.c.no, *KEY).where(series.c.job_no == job_no)
    return {SeriesKey(*key): no for no, *key in connection.execute(query)}
