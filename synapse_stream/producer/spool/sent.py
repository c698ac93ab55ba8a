"""`sent`: how far the server acknowledged a spool, and what is on its way to it.

A page of two slots that are written in turn, each with a checksum: a SIGKILL in the middle of
writing costs the newest, not both. Whoever goes on for a dead process needs it, since a number
alone does not prove that the server has *these* events: the hash does.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from synapse_stream.entries.batch import GENESIS
from synapse_stream.system.mapping import map_file
from synapse_stream.system.private import open_own

if TYPE_CHECKING:
    import mmap
    from pathlib import Path

SENT = "sent"

PAGE_BYTES = 4096
_SLOT = struct.Struct("<QIq32sq32s")  # turn, name, acknowledged, on its way
_Slot = tuple[int, int, int, bytes, int, bytes]
_SUM = struct.Struct("<I")
_SLOT_BYTES = 128
FREE_FROM = 2 * _SLOT_BYTES
"""What stands behind it on the page is not our affair; see `children`."""


class Mark(NamedTuple):
    """A place in the producer's chain."""

    number: int
    hash: bytes


NOTHING = Mark(-1, GENESIS)


class Progress(NamedTuple):
    """What was noted last."""

    name: int
    """Under which of the producer's names: 0 is the first, 1 that of the first line of `names`."""
    acknowledged: Mark
    in_flight: Mark
    """End of the newest batch that was given to the server; as `acknowledged` when it answered."""


class Sent:
    """The page of a living process. Noting costs a copy of 100 bytes, no system call."""

    def __init__(self, page: mmap.mmap) -> None:
        self._page: mmap.mmap | None = page
        newest = _newest(page[:PAGE_BYTES])
        self._turn = newest[0] if newest else 0

    def note(self, progress: Progress) -> None:
        """Write down how far it is; what a server may have must be noted before it is sent."""
        if self._page is None:
            return
        self._turn += 1
        name, acknowledged, in_flight = progress
        slot = _SLOT.pack(self._turn, name, *acknowledged, *in_flight)
        start = self._turn % 2 * _SLOT_BYTES
        self._page[start : start + _SLOT.size + _SUM.size] = slot + _SUM.pack(crc32(slot))

    def close(self) -> None:
        """Note nothing any more."""
        self._page = None


def make_page(home: Path) -> mmap.mmap:
    """Make the page of a home, with all its room; one that is there is gone on with.

    Raises:
        OSError: there is none, or the directory cannot be written.
    """
    descriptor = open_own(home / SENT)
    try:
        os.posix_fallocate(descriptor, 0, PAGE_BYTES)
        return map_file(descriptor, PAGE_BYTES)
    finally:
        os.close(descriptor)


def load(home: Path) -> Progress | None:
    """Return what was noted last in a home; None when nothing was, or nothing that can be read."""
    return parse(read_page(home))


def read_page(home: Path) -> bytes:
    """Return the page of a home; nothing of one that is not there or cannot be read."""
    try:
        descriptor = os.open(home / SENT, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        return file.read(PAGE_BYTES)


def parse(page: bytes) -> Progress | None:
    """Return what was noted last on a page."""
    newest = _newest(page)
    if newest is None:
        return None
    _, name, number, link, sent_number, sent_link = newest
    return Progress(name, Mark(number, link), Mark(sent_number, sent_link))


def _newest(page: bytes) -> _Slot | None:
    return max(filter(None, (_slot(page, start) for start in (0, _SLOT_BYTES))), default=None)


def _slot(page: bytes, start: int) -> _Slot | None:
    slot = page[start : start + _SLOT.size]
    checksum = page[start + _SLOT.size : start + _SLOT.size + _SUM.size]
    if len(checksum) < _SUM.size or not any(slot) or _SUM.pack(crc32(slot)) != checksum:
        return None
    return _SLOT.unpack(slot)
