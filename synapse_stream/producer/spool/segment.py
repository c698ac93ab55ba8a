"""A spool segment: a file of event lines, pre-allocated and memory-mapped while it is written.

The content is JSON Lines with zero bytes behind the last line. A line is written by one copy into
the mapping, so it outlives the process from the moment the report call returns, without a system
call. A line that a SIGKILL tore lacks its newline or still holds a zero byte, which JSON text never
contains: that is how `used_bytes` finds the end.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from synapse_stream.system.descriptors import SET_ASIDE
from synapse_stream.system.mapping import map_file
from synapse_stream.system.private import open_new

if TYPE_CHECKING:
    from pathlib import Path

# Faults the pages in when the segment is made, in the shipper's thread, and not in the report call.
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)


class Chunk(NamedTuple):
    """Consecutive lines, events number `first` to `last`."""

    first: int
    last: int
    data: bytes


class Source(Protocol):
    """What is to be sent: the spool of this process, or what a dead one left."""

    job_id: str

    @property
    def place(self) -> str:
        """Where the events wait, for people."""

    def read(self, number: int, max_bytes: int) -> Chunk | None:
        """Return lines from `number` on, or later ones where those are no longer kept."""

    def acknowledge(self, number: int) -> None:
        """Note that the server has everything up to `number`."""


class Segment:
    """Event lines from number `first` on, in one file or, as a last resort, in private memory.

    `last` is None while lines are being added; `used` is then known to the spool alone.
    """

    __slots__ = ("_map", "first", "index", "last", "path", "size", "used")

    def __init__(self, index: int, path: Path | None, size: int, mapping: mmap.mmap | None) -> None:
        self.index = index
        self.path = path
        self.size = size
        self.first = 0
        self.last: int | None = None
        self.used = 0
        self._map = mapping

    @classmethod
    @SET_ASIDE.lent()
    def create(cls, index: int, path: Path | None, size: int) -> Segment:
        """Make an empty segment of `size` bytes; without a path it lives in private memory.

        The file gets all its blocks now: on a full disk this raises, whereas writing to a sparse
        mapped file would later kill the process with SIGBUS.

        Raises:
            OSError: there is no room, or the directory cannot be written.
        """
        if path is None:
            return cls(index, None, size, mmap.mmap(-1, size))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            mapping = map_file(descriptor, size, _POPULATE)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
        return cls(index, path, size, mapping)

    @property
    def mapping(self) -> mmap.mmap:
        """The memory to write to; only while the segment is mapped."""
        assert self._map is not None  # noqa: S101 - relocated segments are never written
        return self._map

    @property
    def is_mapped(self) -> bool:
        """True until `relocate`."""
        return self._map is not None

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`.

        Raises:
            OSError: the file is gone or cannot be read.
        """
        mapping = self._map  # a relocation may unset it at any time; this reference stays valid
        if mapping is not None:
            return mapping[start:stop]
        assert self.path is not None  # noqa: S101 - only files are relocated
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    @SET_ASIDE.lent()
    def relocate(self, path: Path) -> None:
        """Move the lines into the file `path` and unmap; readers notice nothing.

        Raises:
            OSError: no room; the segment stays where it was.
        """
        if self.path == path:  # written on disk from the start
            os.truncate(path, self.used)
            self.size, self._map = self.used, None
            return
        draft = path.with_suffix(".tmp")
        try:
            with open_new(draft) as file:
                file.write(memoryview(self.mapping)[: self.used])
            draft.rename(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        old, self.path = self.path, path
        self.size = self.used
        self._map = None
        if old is not None:
            old.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the file; calling it again does no harm."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class Cursor:
    """Reads segments in order without counting the same lines twice."""

    def __init__(self) -> None:
        self._index, self._number, self._offset = -1, 0, 0

    def read(self, segment: Segment, number: int, used: int, max_bytes: int) -> Chunk:
        """Return whole lines of the segment's first `used` bytes, from event `number` on.

        Raises:
            OSError: as `Segment.read`.
        """
        first = max(number, segment.first)
        start = self._find(segment, first, used)
        data = segment.read(start, min(used, start + max_bytes))
        data = data[: data.rfind(b"\n") + 1]
        last = first + data.count(b"\n") - 1
        self._index, self._number, self._offset = segment.index, last + 1, start + len(data)
        return Chunk(first, last, data)

    def _find(self, segment: Segment, number: int, used: int) -> int:
        if segment.index == self._index and number == self._number:
            return self._offset
        if number == segment.first:
            return 0
        content = segment.read(0, used)
        offset = 0
        for _ in range(number - segment.first):
            offset = content.index(b"\n", offset) + 1
        return offset


def used_bytes(content: bytes) -> int:
    """Return the length of the whole lines at the start of a segment's content."""
    zero = content.find(b"\0")
    return content.rfind(b"\n", 0, zero if zero >= 0 else len(content)) + 1
