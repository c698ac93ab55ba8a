"""A job's stream, read in pages of about the same size, whatever its entries hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.log.event_log import EventLog, RecordedBatch

_PAGE_BYTES = 256 * 1024
_FIRST_PAGE, _LARGEST_PAGE = 8, 64
"""Entries; one may hold some megabytes."""


class Pages:
    """Reads behind the entry of a position, on and on."""

    def __init__(self, job_id: str, after: Position) -> None:
        self.is_at_end = False
        """Whether the last page was the end of the stream."""
        self._job_id = job_id
        self._after = after
        self._limit = _FIRST_PAGE

    def read(self, log: EventLog) -> list[RecordedBatch]:
        """Return the next entries. Raises LogUnavailable; then the same are read again."""
        following = Position(self._after.ms, self._after.seq + 1)
        page = log.read_after(self._job_id, following, limit=self._limit)
        self.is_at_end = len(page) < self._limit
        if page:
            self._after = Position(page[-1].ms, page[-1].seq)
            size = sum(len(entry.batch.data) for entry in page if entry.batch)
            fitting = _PAGE_BYTES * len(page) // max(1, size)
            self._limit = min(_LARGEST_PAGE, 2 * self._limit, max(1, fitting))
        return page

    def read_all(self, log: EventLog) -> Iterator[RecordedBatch]:
        """Yield all that there is now."""
        while True:
            yield from self.read(log)
            if self.is_at_end:
                return


def last_position(entry: RecordedBatch) -> Position:
    """Return the position of an entry's last event."""
    count = len(entry.batch.lines()) if entry.batch else 1
    return Position(entry.ms, entry.seq, max(0, count - 1))
