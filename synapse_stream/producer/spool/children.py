"""The child processes of a run that report, as they say themselves.

Each writes a line to `children` in its parent's homes, `producer pid`. It may not reach those: it
is another user by now, sees another root or other mounts, or may open no file. The parent may not
either, once it is another user. So it also writes to the page `sent`, which a forked child inherits
as memory, and one that gets a copy takes when that is made.
"""

from __future__ import annotations

import contextlib
import os
import struct
import weakref
from typing import TYPE_CHECKING, NamedTuple, Self
from zlib import crc32

from synapse_stream.producer.spool.notes import add_line, lines
from synapse_stream.producer.spool.sent import FREE_FROM, PAGE_BYTES, make_page, read_page

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable
    from pathlib import Path

CHILDREN = "children"

_FAR = "far"
_RECORD = struct.Struct("<8sII")  # producer, pid and whether it is far, checksum of these
_SUMMED = 12
_FAR_BIT = 1 << 31
_PLACES = range(FREE_FROM, PAGE_BYTES - _RECORD.size, _RECORD.size)
_LAST = PAGE_BYTES - _RECORD.size
_NOBODY = bytes(8)


class ChildNote(NamedTuple):
    """A child process that reports."""

    producer: str
    """"": more of them than there is room to name."""
    pid: int
    is_far: bool = False
    """True when it could not write to its parent's homes: its own may be anywhere."""


class Family:
    """The children of a run, on a page that is theirs as well as their parent's."""

    def __init__(self, page: mmap.mmap) -> None:
        self._page = page
        self._next = 0
        _families.add(self)

    @classmethod
    def of(cls, homes: Iterable[Path]) -> Self | None:
        """Take the page of a parent's homes; None where that cannot be."""
        for home in homes:
            with contextlib.suppress(OSError):
                return cls(make_page(home))
        return None

    def note(self, child: ChildNote) -> None:
        """Note a child; without room for its name, that there is one more."""
        record = _record(bytes.fromhex(child.producer), child.pid, is_far=child.is_far)
        # Children of one parent begin at different places, so no two take the same one at once.
        for turn in range(len(_PLACES)):
            start = _PLACES[(self._next + turn) % len(_PLACES)]
            if any(self._page[start : start + _RECORD.size]):
                continue
            self._page[start : start + _RECORD.size] = record
            if self._page[start : start + _RECORD.size] == record:
                return
        self._page[_LAST:PAGE_BYTES] = _record(_NOBODY, 0, is_far=True)

    def children(self) -> list[ChildNote]:
        """Return those that are noted."""
        return _parse(self._page[:PAGE_BYTES])

    def step(self) -> None:
        """Have the next child begin at another place."""
        self._next += 1


_families: weakref.WeakSet[Family] = weakref.WeakSet()


def _step_on() -> None:
    for family in list(_families):
        family.step()


os.register_at_fork(after_in_parent=_step_on)


def note_child(homes: Iterable[Path], child: ChildNote) -> bool:
    """Note a child in its parent's homes, as far as they are there and take it.

    Returns:
        Whether one has taken it.
    """
    line = f"{child.producer} {child.pid} {_FAR if child.is_far else ''}".rstrip()
    is_noted = False
    for home in homes:
        with contextlib.suppress(OSError):
            add_line(home / CHILDREN, line.encode())
            is_noted = True
    return is_noted


def children(homes: Iterable[Path]) -> list[ChildNote]:
    """Return the children that a producer's homes tell of, each once."""
    found: list[ChildNote] = []
    for home in homes:
        found += filter(None, map(_note, lines(home / CHILDREN)))
        found += _parse(read_page(home))
    return merged(found)


def merged(notes: Iterable[ChildNote]) -> list[ChildNote]:
    """Return each child once, as it was noted first."""
    found: dict[str, ChildNote] = {}
    for note in notes:
        found.setdefault(note.producer, note)
    return list(found.values())


def told(notes: Iterable[ChildNote], most: int) -> dict[str, object]:
    """Return what an event says of children: their count, and the names of as many as fit."""
    all_of_them = list(notes)
    if not all_of_them:
        return {}
    named = [{"producer": one.producer, "pid": one.pid} for one in all_of_them if one.producer]
    return {"children": named[:most], "child_count": len(all_of_them)}


def _note(line: bytes) -> ChildNote | None:
    producer, pid, *how = [*line.decode(errors="replace").split(" "), ""][:3]
    return ChildNote(producer, int(pid), how == [_FAR]) if pid.isdecimal() else None


def _record(producer: bytes, pid: int, *, is_far: bool) -> bytes:
    head = _RECORD.pack(producer, pid | (_FAR_BIT if is_far else 0), 0)[:_SUMMED]
    return head + crc32(head).to_bytes(4, "little")


def _parse(page: bytes) -> list[ChildNote]:
    found = []
    for start in (*_PLACES, _LAST):
        record = page[start : start + _RECORD.size]
        if len(record) == _RECORD.size and any(record):
            producer, pid, checksum = _RECORD.unpack(record)
            if checksum == crc32(record[:_SUMMED]):
                name = "" if producer == _NOBODY else producer.hex()
                found.append(ChildNote(name, pid & ~_FAR_BIT, bool(pid & _FAR_BIT)))
    return found
