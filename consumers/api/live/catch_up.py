"""A client that is behind its channel reads the job itself, from where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.api import shapes
from consumers.api.live import frames
from consumers.api.live.coalescing import Coalescer
from consumers.api.live.pages import Pages, last_position
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import Trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.api.live.frames import Whose
    from consumers.api.shapes import Line
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.position import Position
    from synapse_stream.reading.job_reader import JobReader

_CHUNK_BYTES = 256 * 1024
_EVENTS_AT_ONCE = 50_000
"""Of those read when most is left out: so that a thread is not kept for long."""


class CatchUp:
    """Reads one job's stream behind `position`; in threads, but one call at a time."""

    def __init__(
        self,
        reader: JobReader,
        job_id: str,
        after: Position,
        whose: Whose,
        *,
        for_developers: bool,
    ) -> None:
        """Read behind `after`; `whose` knows where producers belong."""
        self.position = after
        """Of the last event that was read."""
        self._reader = reader
        self._job_id = job_id
        self._whose = whose
        self._for_developers = for_developers
        self._pages = Pages(job_id, after)

    @property
    def is_at_end(self) -> bool:
        """Whether the last read came to the end of the stream."""
        return self._pages.is_at_end

    def begin(self) -> bytes | None:
        """Return the rest of the entry of `position`; None when it is gone, or what follows is.

        Raises:
            LogUnavailable, StoreUnavailable: nothing was read.
        """
        is_begin = self.position == BEGINNING
        until = None if is_begin else self.position
        try:
            found = self._reader.read_after(self._job_id, self.position, limit=1, until=until)
        except Trimmed:
            return None
        if is_begin or not found:
            return b"" if found else None
        self._pages = Pages(self._job_id, self.position, found[0])
        return b"".join(map(self._encoded, self._lines(found)))

    def read(self) -> bytes | None:
        """Return the next events; None when the stream is another one by now.

        Raises:
            LogUnavailable, StoreUnavailable: nothing was read.
        """
        page = self._pages.read(self._reader)
        return None if page is None else b"".join(map(self._encoded, self._lines(page)))

    def read_coalescing(self) -> bytes | None:
        """Return the next events, many of them, without progress and metrics that are outdated.

        None when the stream is another one by now.

        Raises:
            LogUnavailable, StoreUnavailable: nothing was read.
        """
        kept, count = Coalescer(), 0
        while True:
            page = self._pages.read(self._reader)
            if page is None:
                return None
            for line in self._lines(page):
                kept.add(line)
                count += 1
            if self._pages.is_at_end or kept.size > _CHUNK_BYTES or count > _EVENTS_AT_ONCE:
                break
        parts = list(map(self._encoded, kept.lines()))
        if kept.left_out:
            parts.append(frames.coalesced(kept.left_out, self.position))
        return b"".join(parts)

    def _encoded(self, line: Line) -> bytes:
        return frames.event(line, self._whose(line.producer))

    def _lines(self, entries: list[RecordedBatch]) -> Iterator[Line]:
        for entry in entries:
            begin, self.position = self.position, max(self.position, last_position(entry))
            for line in shapes.lines(entry):
                shown = line if self._for_developers else line.for_viewers
                if line.position > begin and shown is not None:
                    yield shown
