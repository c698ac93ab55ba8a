"""Metric histories: what metrics came to, kept up by every commit, so that runs are found by it."""

from __future__ import annotations

from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from consumers.store.found import peak
from consumers.store.schema import chunk, series
from consumers.store.sql import driver_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from consumers.views.metric_history.chunks import Chunk
    from synapse_stream.ports.views import SeriesKey

    Peak = tuple[Any, ...]
    """The columns of `peak`."""

_COLUMNS = tuple(column.name for column in peak.columns)
_IS_FIRST = "(excluded.rank, excluded.step) <= (peak.rank, peak.step)"
_UPDATE = f"""
ON CONFLICT (job_no, attempt, name) DO UPDATE SET
    low = coalesce({{least}}(peak.low, excluded.low), peak.low, excluded.low),
    high = coalesce({{greatest}}(peak.high, excluded.high), peak.high, excluded.high),
    last = CASE WHEN {_IS_FIRST} THEN excluded.last ELSE peak.last END,
    rank = CASE WHEN {_IS_FIRST} THEN excluded.rank ELSE peak.rank END,
    step = CASE WHEN {_IS_FIRST} THEN excluded.step ELSE peak.step END"""
_INSERT = f"INSERT INTO peak ({', '.join(_COLUMNS)})"
_ON_SQLITE = (
    f"{_INSERT} VALUES ({', '.join('?' * len(_COLUMNS))})"
    f"{_UPDATE.format(least='min', greatest='max')}"
)
_TYPES = ("bigint", "int", "text", "int", "text", "float8", "float8", "float8")
_ON_POSTGRES = (
    f"{_INSERT} SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for kind in _TYPES)})"  # noqa: S608 - ours
    f"{_UPDATE.format(least='least', greatest='greatest')}"
)


def raise_peaks(
    connection: Connection, rows: Mapping[int, Mapping[SeriesKey, list[Chunk]]]
) -> None:
    """Note what chunks make of metrics that have come to series of jobs, given by their numbers."""
    found = [
        (no, key.attempt, key.name, key.rank, key.step or "", *_of_chunks(chunks))
        for no, encoded in rows.items()
        for key, chunks in encoded.items()
    ]
    records = _joined(found)
    if not records:
        return
    driver = driver_of(connection)
    if connection.dialect.name == "sqlite":
        driver.executemany(_ON_SQLITE, records)
    else:
        driver.execute(_ON_POSTGRES, [list(column) for column in zip(*records, strict=True)])


def fault(connection: Connection, job_no: int) -> str | None:
    """Return which peak of a job tells otherwise than its series and chunks do."""
    rows = connection.execute(select(peak).where(peak.c.job_no == job_no))
    found = {
        (no, attempt, name, rank, step or "", low, high, last)
        for no, attempt, name, rank, step, low, high, last in rows
    }
    wrong = sorted(found ^ set(_made_of_series(connection, job_no)), key=repr)
    return f"{wrong[0]!r:.200} is not what its points come to" if wrong else None


def _made_of_series(connection: Connection, job_no: int) -> list[Peak]:
    """Return what the peaks of a job are by its series and chunks."""
    whole = (
        select(
            chunk.c.series_no,
            func.min(chunk.c.v_min).label("low"),
            func.max(chunk.c.v_max).label("high"),
            func.max(chunk.c.number).label("newest"),
        )
        .join(series, series.c.no == chunk.c.series_no)
        .where(series.c.job_no == job_no)
        .group_by(chunk.c.series_no)
        .subquery()
    )
    key = [series.c[name] for name in ("attempt", "name", "rank", "step")]
    query = (
        select(*key, whole.c.low, whole.c.high, chunk.c.v_last)
        .join(whole, whole.c.series_no == series.c.no)
        .join(chunk, (chunk.c.series_no == series.c.no) & (chunk.c.number == whole.c.newest))
    )
    found: Iterable[Any] = connection.execute(query)
    return _joined(
        (job_no, attempt, name, rank, step or "", _finite(low), _finite(high), last)
        for attempt, name, rank, step, low, high, last in found
    )


def _of_chunks(chunks: list[Chunk]) -> tuple[float | None, float | None, float | None]:
    lows = [one.stats.v_min for one in chunks]
    highs = [one.stats.v_max for one in chunks]
    last = chunks[-1].stats.v_last
    return _finite(min(lows)), _finite(max(highs)), None if isnan(last) else last


def _joined(found: Iterable[Peak]) -> list[Peak]:
    """Return one row a metric of an attempt, of all its series."""
    rows: dict[tuple[Any, ...], Peak] = {}
    for row in found:
        before = rows.get(row[:3])
        rows[row[:3]] = row if before is None else _of_two(before, row)
    return list(rows.values())


def _of_two(one: Peak, other: Peak) -> Peak:
    first = min(one, other, key=lambda row: row[3:5])
    low = min((row[5] for row in (one, other) if row[5] is not None), default=None)
    high = max((row[6] for row in (one, other) if row[6] is not None), default=None)
    return (*first[:5], low, high, first[7])


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None
