"""Metric histories: series, points and chunks out."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from consumers.chunks import decode
from consumers.overview import Sketch
from consumers.projections.base import begin_points
from consumers.stats import Stats
from consumers.store import folds
from consumers.store.metrics import PROJECTION
from consumers.store.schema import chunk, series
from consumers.store.slices import slices
from synapse_stream.views import SeriesKey, SeriesSummary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from consumers.projections.base import Points

_STATS = [chunk.c[name] for name in Stats._fields]


def read_summaries(connection: Connection, filters: ColumnElement[bool]) -> list[SeriesSummary]:
    """Return the series that match, in the order of their keys."""
    whole = (
        select(
            chunk.c.series_no,
            func.sum(chunk.c.points).label("total"),
            func.min(chunk.c.v_min).label("minimum"),
            func.max(chunk.c.v_max).label("maximum"),
            func.sum(chunk.c.nans + chunk.c.positive + chunk.c.negative).label("non_finite"),
            func.max(chunk.c.xs).label("xs"),
            func.max(chunk.c.number).label("newest"),
        )
        .where(chunk.c.series_no.in_(select(series.c.no).where(filters)))
        .group_by(chunk.c.series_no)
        .subquery()
    )
    query = (
        select(series, whole, chunk.c.v_last)
        .join(whole, whole.c.series_no == series.c.no)
        .join(chunk, (chunk.c.series_no == series.c.no) & (chunk.c.number == whole.c.newest))
    )
    summaries = [
        SeriesSummary(
            key=SeriesKey(row.attempt, row.rank, row.step, row.name),
            count=int(row.total),
            minimum=row.minimum if row.minimum <= row.maximum else None,
            maximum=row.maximum if row.minimum <= row.maximum else None,
            last=nan if row.v_last is None else row.v_last,
            has_x=row.xs > 0,
            non_finite=int(row.non_finite),
        )
        for row in connection.execute(query)
    ]
    return sorted(summaries, key=lambda summary: sort_key(summary.key))


def find_series(connection: Connection, job_id: str, key: SeriesKey) -> int | None:
    """Return the number of a series, None if there is none."""
    query = select(series.c.no).where(
        series.c.job_no == folds.number(connection, PROJECTION, job_id),
        series.c.attempt == key.attempt,
        series.c.rank == key.rank,
        series.c.step.is_(None) if key.step is None else series.c.step == key.step,
        series.c.name == key.name,
    )
    return connection.execute(query).scalar()


def read_points(connection: Connection, series_no: int) -> Points:
    """Return all points of a series, in the order of the fold."""
    bodies = select(chunk.c.body).where(chunk.c.series_no == series_no).order_by(chunk.c.number)
    points = begin_points(0)
    for body in connection.execute(bodies).scalars():
        points.extend(decode(bytes(body)))
    return points


def read_all(connection: Connection, job_id: str) -> dict[SeriesKey, Points]:
    """Return all points of a job by series."""
    of_job = series.c.job_no == folds.number(connection, PROJECTION, job_id)
    return {
        SeriesKey(row.attempt, row.rank, row.step, row.name): read_points(connection, row.no)
        for row in connection.execute(select(series).where(of_job)).all()
    }


def read_sketches(connection: Connection, series_no: int) -> list[Sketch]:
    """Return the chunks of a series without their bodies, in the order of their numbers."""
    query = (
        select(chunk.c.number, chunk.c.outline, *_STATS)
        .where(chunk.c.series_no == series_no)
        .order_by(chunk.c.number)
    )
    return [
        Sketch(number, _stats(stats), bytes(outline))
        for number, outline, *stats in connection.execute(query)
    ]


def read_bodies(connection: Connection, series_no: int, numbers: Sequence[int]) -> dict[int, bytes]:
    """Return the bodies of some chunks of a series."""
    bodies: dict[int, bytes] = {}
    for some in slices(numbers):
        query = select(chunk.c.number, chunk.c.body).where(
            chunk.c.series_no == series_no, chunk.c.number.in_(some)
        )
        bodies.update((number, bytes(body)) for number, body in connection.execute(query))
    return bodies


def sort_key(key: SeriesKey) -> tuple[Any, ...]:
    """Order series: no step before any step."""
    return (key.attempt, key.rank, key.step or "", key.name)


def _stats(columns: list[Any]) -> Stats:
    points, v_min, v_max, v_last, *others = columns
    return Stats(points, v_min, v_max, nan if v_last is None else v_last, *others)
