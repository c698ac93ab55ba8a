"""Metric histories: chunks in."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from consumers.store.found import peak
from consumers.store.schema import chunk, series
from consumers.store.table import Part, Table
from consumers.views.metric_history import adding, compaction, comparing
from consumers.views.metric_history.chunks import encode_all
from consumers.views.metric_history.series import SeriesBook, insert_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.folding.differing import Difference
    from consumers.store.engine import Database
    from consumers.store.lease import Lease
    from consumers.views.metric_history.chunks import Chunk
    from consumers.views.metric_history.rows import PointRows
    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import SeriesKey

Encoded = dict["SeriesKey", list["Chunk"]]

_CHUNKS_AT_ONCE = 200


class SeriesTable(Table):
    """Series, a row each, and their points as chunks."""

    parts = (Part(series, chunk.c.series_no, chunk.c.number, _CHUNKS_AT_ONCE),)
    beside = (peak,)
    is_in_pieces: ClassVar[bool] = True

    def open(self, connection: Connection, partition: int) -> SeriesBook:
        """Return the series of a lease."""
        return SeriesBook(connection, partition)

    def encode(self, rows: Sequence[tuple[str, PointRows]]) -> list[tuple[str, Encoded]]:
        """Make chunks of points."""
        made = iter(encode_all([points for _, of_job in rows for points in of_job.values()]))
        return [(job_id, {key: next(made) for key in of_job}) for job_id, of_job in rows]

    def write(
        self, connection: Connection, _lease: Lease, book: SeriesBook, rows: Mapping[int, Encoded]
    ) -> None:
        """Add chunks to the series of jobs."""
        numbers, made = book.directory.find(connection, rows)
        placed = [
            (numbers[job_no][key], chunks)
            for job_no, encoded in rows.items()
            for key, chunks in encoded.items()
        ]
        insert_chunks(connection, placed)
        adding.raise_peaks(connection, rows)
        grown = {no: len(chunks) for no, chunks in placed if no not in made or len(chunks) > 1}
        if grown:
            book.loosen(connection, grown)

    def compact(
        self,
        database: Database,
        lease: Lease,
        book: SeriesBook,
        *,
        most: int,
        rested_seconds: float,
    ) -> int:
        """Merge small chunks of series."""
        return compaction.compact(database, book, lease, most=most, rested_seconds=rested_seconds)

    def read(self, connection: Connection, job_no: int) -> PointRows:
        """Return all points of a job by series; series may share columns."""
        return comparing.read_all(connection, job_no)

    def fault(self, connection: Connection, job_no: int, _document: bytes) -> str | None:
        """Return which chunk tells otherwise of its points, or which peak of its chunks."""
        return comparing.fault(connection, job_no) or adding.fault(connection, job_no)

    def differences(
        self, database: Database, live: int | None, staged: int | None, until: Position
    ) -> Iterator[Difference | None]:
        """Compare series by series."""
        return comparing.differences(database, live, staged, until)
