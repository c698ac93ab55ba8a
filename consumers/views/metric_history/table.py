"""Metric histories: chunks in."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from consumers.store.bulk import RowWriter
from consumers.store.schema import chunk
from consumers.views.metric_history.chunks import encode_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.folding.port import Points
    from consumers.views.metric_history.chunks import Chunk
    from consumers.views.metric_history.series import SeriesBook
    from synapse_stream.ports.views import SeriesKey

PROJECTION = "metric-history"

Encoded = dict["SeriesKey", list["Chunk"]]

_writer = RowWriter(chunk)


def encode(jobs: Sequence[tuple[str, Mapping[SeriesKey, Points]]]) -> list[tuple[str, Encoded]]:
    """Make chunks of points; done before the transaction, so that it locks nobody out."""
    made = iter(encode_all([points for _, series in jobs for points in series.values()]))
    return [(job_id, {key: next(made) for key in series}) for job_id, series in jobs]


def write(connection: Connection, book: SeriesBook, jobs: Mapping[int, Encoded]) -> None:
    """Add chunks to the series of jobs, which are given by their numbers."""
    numbers, made = book.directory.find(connection, jobs)
    placed = [
        (numbers[job_no][key], chunks)
        for job_no, encoded in jobs.items()
        for key, chunks in encoded.items()
    ]
    insert_chunks(connection, placed)
    grown = {no: len(chunks) for no, chunks in placed if no not in made or len(chunks) > 1}
    if grown:
        book.loosen(connection, grown)


def insert_chunks(connection: Connection, placed: Iterable[tuple[int, list[Chunk]]]) -> None:
    """Add chunks to series, which are given by their numbers."""
    _writer.write(connection, [_record(no, one) for no, chunks in placed for one in chunks])


def _record(series_no: int, one: Chunk) -> tuple[Any, ...]:
    points, v_min, v_max, v_last, *others = one.stats
    return (
        series_no,
        one.number,
        *one.first,
        *one.last,
        _or_null(one.v_sum),
        points,
        v_min,
        v_max,
        _or_null(v_last),
        *others,
        one.outline,
        one.body,
    )


def _or_null(number: float) -> float | None:
    return None if isnan(number) else number
