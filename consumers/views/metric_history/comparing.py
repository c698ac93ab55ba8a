"""Metric histories as a whole: all of a job, two generations compared, chunks by themselves."""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from consumers.store.schema import chunk, series
from consumers.views.metric_history.bodies import decode, decode_all
from consumers.views.metric_history.chunks import encode
from consumers.views.metric_history.query import KEY, read_chunks, read_points
from consumers.views.metric_history.rows import PointRows, in_order
from consumers.views.metric_history.stats import Stats
from synapse_stream.ports.views import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from consumers.folding.differing import Difference
    from consumers.store.engine import Database
    from consumers.views.metric_history.chunks import Chunk
    from synapse_stream.entries.position import Position

_PLACES = [chunk.c[f"{end}_{part}"] for end in ("first", "last") for part in ("ms", "seq", "line")]
_TOLD = [chunk.c.v_sum, *_PLACES, *(chunk.c[name] for name in Stats._fields)]


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


def fault(connection: Connection, job_no: int) -> str | None:
    """Return which chunk of a job tells otherwise of its points; None when none does."""
    query = (
        select(series.c.name, chunk.c.number, chunk.c.body, chunk.c.outline, *_TOLD)
        .join(series, series.c.no == chunk.c.series_no)
        .where(series.c.job_no == job_no)
    )
    few = query.execution_options(yield_per=50)
    for name, number, body, outline, *told in connection.execute(few):
        made = encode(decode(body))
        if len(made) != 1 or outline != made[0].outline or not _is_told(told, made[0]):
            return f"chunk {number} of {name!r} tells otherwise of its points"
    return None


def _is_told(told: Sequence[Any], made: Chunk) -> bool:
    holds = [made.v_sum, *made.first, *made.last, *made.stats]
    return all(_are_same(one, two) for one, two in zip(told, holds, strict=True))


def _are_same(told: Any, holds: Any) -> bool:
    told = nan if told is None else told
    return bool(told == holds) or (isnan(told) and isnan(holds))
