"""The series of one lease, and which of them have small chunks to be merged."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from consumers.store.directory import Directory
from consumers.store.schema import series
from consumers.store.slices import slices
from synapse_stream.ports.views import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

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
