"""What a stream gives behind an offset: of one made here what was put in, of any other job all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consumers.api import shapes
from consumers.api.ingest.durable import values
from consumers.api.ingest.durable.stream import Stream
from synapse_stream.entries.position import BEGINNING, Position

if TYPE_CHECKING:
    from consumers.api.ingest.durable.keeper import Keeper
    from consumers.api.sources import Sources

_PAGE_BYTES = 1024 * 1024
_READ_BYTES = 128 * 1024
_BEHIND_ALL = 2**31
"""No entry has so many events."""


class Page(NamedTuple):
    """Some of a stream."""

    content_type: str
    parts: list[bytes]
    """Values, or bytes of a stream that is not JSON."""
    after: Position
    """Of the last entry that was looked at."""
    is_at_end: bool
    is_closed: bool
    """True when nothing can follow."""

    @property
    def end(self) -> Position:
        """The place behind all events of that entry."""
        return self.after._replace(index=_BEHIND_ALL)

    @property
    def body(self) -> bytes:
        """All of it, as an answer has it."""
        if values.is_json(self.content_type):
            return b"[" + b",".join(self.parts) + b"]"
        return b"".join(self.parts)


class Streams:
    """Reads streams. May be used from several threads."""

    def __init__(self, sources: Sources, keeper: Keeper) -> None:
        self._sources = sources
        self._keeper = keeper

    def tail(self, job_id: str) -> Page | None:
        """Return the empty page at the end of a stream; None if there is no such job.

        Raises:
            LogUnavailable, StoreUnavailable: it could not be read.
        """
        stream = self._keeper.find(job_id)
        info = self._sources.log.stream_info(self._sources.log.keys.job(job_id))
        if info is not None:
            ms, _, seq = info[b"last-generated-id"].decode().partition("-")
            after = Position(int(ms), int(seq))
        else:
            after = BEGINNING
            for entry in self._sources.reader.entries(job_id):
                after = Position(entry.ms, entry.seq)
            if after == BEGINNING:
                return None
        return _page(stream, [], after, is_at_end=True)

    def read(self, job_id: str, after: Position, *, for_developers: bool) -> Page | None:
        """Return what stands behind the entry of `after`, a mebibyte at most and an entry more.

        Raises:
            Trimmed: some of it is not there any more.
            LogUnavailable, StoreUnavailable: it could not be read.
        """
        stream = self._keeper.find(job_id)  # before what it holds: what is closed has all of it
        kind = stream.content_type if stream else values.JSON
        parts: list[bytes] = []
        size, place = 0, after
        for entry in self._sources.reader.entries(job_id, after, page_bytes=_READ_BYTES):
            if size >= _PAGE_BYTES:
                return _page(stream, parts, place, is_at_end=False)
            if (entry.ms, entry.seq) == after[:2]:
                continue
            place = Position(entry.ms, entry.seq)
            for line in shapes.lines(entry):
                shown = line if for_developers else line.for_viewers
                part = values.given(shown, kind) if shown else None
                if part is not None:
                    parts.append(part)
                    size += len(part)
        if after == BEGINNING == place and self.tail(job_id) is None:
            return None
        return _page(stream, parts, place, is_at_end=True)


def _page(stream: Stream | None, parts: list[bytes], after: Position, *, is_at_end: bool) -> Page:
    kind = stream.content_type if stream else values.JSON
    is_closed = stream is not None and stream.is_closed and is_at_end
    return Page(kind, parts, after, is_at_end, is_closed)
