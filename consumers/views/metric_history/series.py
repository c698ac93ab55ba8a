"""Series and chunks as rows: those of one lease, and which have small chunks to be merged."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from consumers.store.directory import Directory
from consumers.store.schema import chunk, series
from consumers.store.sql import RowWriter, slices
from synapse_stream.ports.views import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.views.metric_history.chunks import Chunk

_writer = RowWriter(chunk)

_MANY = 1_000_000  # a series that was loose before this process came is looked at once


@dataclass(slots=True)
class Loose:
    """A series that has small chunks to be merged."""

    chunks: int
    """How many have come since it was merged last."""
    grown_at: float = field(default_factory=time.monotonic)


class SeriesBook:
    """Numbers of series by job and key, and what is loose, by number."""

    def __init__(self, connection: Connection, partition: int) -> None:
        """Read which series are loose; the others are read job by job when they are needed."""
        is_loose = select(series.c.no).where(series.c.partition == partition, series.c.is_loose)
        self.loose = {no: Loose(_MANY) for no in connection.execute(is_loose).scalars()}
        self.directory: Directory[SeriesKey] = Directory(
            series, SeriesKey._fields, partition=partition
        )

    def loosen(self, connection: Connection, grown: Mapping[int, int]) -> None:
        """Note how many chunks have come to series that have others."""
        set_loose(connection, [no for no in grown if no not in self.loose], is_loose=True)
        now = time.monotonic()
        for no, chunks in grown.items():
            loose = self.loose.setdefault(no, Loose(0))
            loose.chunks += chunks
            loose.grown_at = now


def set_loose(connection: Connection, numbers: Sequence[int], *, is_loose: bool) -> None:
    """Note whether series have small chunks to be merged."""
    for some in slices(numbers):
        change = update(series).where(series.c.no.in_(some))
        connection.execute(change.values(is_loose=is_loose))


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
