"""A client that is behind its channel reads the stream itself, from where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.api import shapes
from consumers.api.live import frames
from consumers.api.live.coalescing import Coalescer
from consumers.api.live.pages import Pages, last_position
from synapse_stream.position import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.api.shapes import Line
    from synapse_stream.log.event_log import EventLog, RecordedBatch
    from synapse_stream.position import Position

_CHUNK_BYTES = 256 * 1024
_EVENTS_AT_ONCE = 50_000
"""Of those read when most is left out: so that a thread is not kept for long."""


class CatchUp:
    """Reads one job's stream behind `position`; in threads, but one call at a time."""

    def __init__(
        self, log: EventLog, job_id: str, after: Position, *, for_developers: bool
    ) -> None:
        self.position = after
        """Of the last event that was read."""
        self._log = log
        self._job_id = job_id
        self._hidden = frozenset() if for_developers else shapes.DEVELOPERS_ONLY
        self._pages = Pages(job_id, after)

    @property
    def is_at_end(self) -> bool:
        """Whether the last read came to the end of the stream."""
        return self._pages.is_at_end

    def begin(self) -> bytes | None:
        """Return the rest of the entry of `position`; None when the stream does not have it.

        Raises:
            LogUnavailable: nothing was read.
        """
        if self.position == BEGINNING:
            return b"" if self._is_whole() else None
        found = self._log.read_after(self._job_id, self.position, limit=1, until=self.position)
        if not found:
            return None
        self._pages = Pages(self._job_id, self.position, found[0])
        return b"".join(map(frames.event, self._lines(found)))

    def read(self) -> bytes | None:
        """Return the next events; None when the stream is another one by now.

        Raises:
            LogUnavailable: nothing was read.
        """
        page = self._pages.read(self._log)
        return None if page is None else b"".join(map(frames.event, self._lines(page)))

    def read_coalescing(self) -> bytes | None:
        """Return the next events, many of them, without progress and metrics that are outdated.

        None when the stream is another one by now.

        Raises:
            LogUnavailable: nothing was read.
        """
        kept, count = Coalescer(), 0
        while True:
            page = self._pages.read(self._log)
            if page is None:
                return None
            for line in self._lines(page):
                kept.add(line)
                count += 1
            if self._pages.is_at_end or kept.size > _CHUNK_BYTES or count > _EVENTS_AT_ONCE:
                break
        parts = list(map(frames.event, kept.lines()))
        if kept.left_out:
            parts.append(frames.coalesced(kept.left_out, self.position))
        return b"".join(parts)

    def _is_whole(self) -> bool:
        """Tell whether the stream still has every entry that was ever added."""
        info = self._log.stream_info(self._log.keys.job(self._job_id))
        return info is not None and info[b"entries-added"] == info[b"length"]

    def _lines(self, entries: list[RecordedBatch]) -> Iterator[Line]:
        for entry in entries:
            begin, self.position = self.position, max(self.position, last_position(entry))
            for line in shapes.lines(entry):
                if line.position > begin and line.type not in self._hidden:
                    yield line
