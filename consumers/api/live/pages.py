"""A job's entries, read in pages of about the same size, whatever they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.entries.position import Position
from synapse_stream.errors import Trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.reading.job_reader import JobReader

_PAGE_BYTES = 128 * 1024
_FIRST_PAGE, _LARGEST_PAGE = 1, 64
"""Entries; one may hold some megabytes."""


class Pages:
    """Reads behind the entry of a position, on and on.

    Each page begins with the last entry of the page before. A server that lost its tail may have
    another one there, even under the same id: then there is no going on.
    """

    def __init__(self, job_id: str, after: Position, last: RecordedBatch | None = None) -> None:
        """Begin behind `after`; `last` is the entry that must stand there, None for any or none."""
        self.is_at_end = False
        """Whether the last page was the end of the stream."""
        self._job_id = job_id
        self._after = after
        self._mark = last and _mark(last)
        self._limit = _FIRST_PAGE

    def read(
        self, reader: JobReader, follows: Callable[[list[RecordedBatch]], bool] | None = None
    ) -> list[RecordedBatch] | None:
        """Return the next entries; None if they do not follow what was read before.

        Args:
            reader: of the job.
            follows: asked when the last entry is gone, and no archive has it, whether what is left
                goes on behind it.

        Raises:
            LogUnavailable, StoreUnavailable: nothing was read.
        """
        limit = self._limit + 1
        try:
            page = reader.read_after(self._job_id, self._after, limit=limit)
        except Trimmed:
            if follows is None:
                return None
            page = reader.log.read_after(self._job_id, self._after, limit=limit)
        self.is_at_end = len(page) <= self._limit
        if page and page[0][:2] == self._after[:2]:
            last = page.pop(0)
            if self._mark not in {None, _mark(last)}:
                return None
        elif self._mark is not None and not (follows and follows(page)):
            return None
        if page:
            self._after, self._mark = Position(*page[-1][:2]), _mark(page[-1])
            size = sum(len(entry.batch.data) for entry in page if entry.batch)
            fitting = _PAGE_BYTES * len(page) // max(1, size)
            self._limit = min(_LARGEST_PAGE, 2 * self._limit, max(1, fitting))
        return page


def last_position(entry: RecordedBatch) -> Position:
    """Return the position of an entry's last event."""
    count = entry.batch.data.count(b"\n") if entry.batch else 1
    return Position(entry.ms, entry.seq, max(0, count - 1))


def _mark(entry: RecordedBatch) -> Hashable:
    """Return what tells an entry from another one with its id."""
    return entry.error if entry.batch is None else (entry.batch.producer, entry.batch.hash)
