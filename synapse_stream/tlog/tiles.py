"""Tiles (c2sp.org/tlog-tiles): the hashes and the entries of a log, 256 to a file."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

from synapse_stream.entries.tree import HASH_BYTES, Tree, leaf, node
from synapse_stream.errors import DecodeError
from synapse_stream.tlog.proofs import parts

WIDTH = 256
LEVELS = 8
"""How many levels of the tree a tile spans."""
LONGEST_ENTRY = 65_535

Read = Callable[[str], bytes | None]
"""Returns what stands at a path below the log; None where there is nothing."""

_LENGTH = struct.Struct(">H")
_KEPT = 64


def path(level: int | str, number: int, width: int = WIDTH) -> str:
    """Return where a tile lies: of a level of hashes, or of `entries`."""
    words = [f"{number % 1000:03}"]
    while number := number // 1000:
        words.insert(0, f"x{number % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(words)}{partial}"


def bundle(entries: Iterable[bytes]) -> bytes:
    """Return entries as one file."""
    return b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)


class Tiles:
    """Reads a log of `size` entries; nothing that it reads is believed. Not thread-safe."""

    def __init__(self, read: Read, size: int) -> None:
        self.size = size
        self._read = read
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def hash(self, level: int, number: int) -> bytes:
        """Return the root of a full subtree of 2**level entries: see `proofs.Hashes`.

        Raises:
            DecodeError: its tile is not there, or has another size.
        """
        high, rest = divmod(level, LEVELS)
        tile, place = divmod(number << rest, WIDTH)
        content = self._tile(high, tile)
        row = [
            content[begin : begin + HASH_BYTES]
            for begin in range(place * HASH_BYTES, (place + (1 << rest)) * HASH_BYTES, HASH_BYTES)
        ]
        while len(row) > 1:
            row = [node(*row[i : i + 2]) for i in range(0, len(row), 2)]
        return row[0]

    def tree(self, size: int) -> Tree:
        """Return the tree over the first `size` entries, as the hashes have it."""
        return parts(size, self.hash)

    def entries(self, first: int = 0) -> Iterator[bytes]:
        """Yield the entries from number `first` on.

        Raises:
            DecodeError: a bundle is not there, or is none.
        """
        for number in range(first // WIDTH, -(-self.size // WIDTH)):
            found = self.bundle(number)
            yield from found[max(0, first - number * WIDTH) :]

    def bundle(self, number: int) -> Sequence[bytes]:
        """Return up to 256 entries.

        Raises:
            DecodeError: they are not there.
        """
        width = min(WIDTH, self.size - number * WIDTH)
        place = path("entries", number, width)
        content, at = self._content("entries", number, width), 0
        found: list[bytes] = []
        while at < len(content) and len(found) < width:
            (length,) = _LENGTH.unpack(content[at : at + 2].ljust(2, b"\0"))
            found.append(content[at + 2 : at + 2 + length])
            at += 2 + length
        if at != len(content) or len(found) != width:
            msg = f"{place} holds no {width} entries"
            raise DecodeError(msg)
        return found

    def leaves(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each entry with its leaf hash."""
        return ((entry, leaf(entry)) for entry in self.entries())

    def _tile(self, level: int, number: int) -> bytes:
        if (level, number) not in self._kept:
            width = min(WIDTH, (self.size >> LEVELS * level) - number * WIDTH)
            content = self._content(level, number, width)
            if len(content) != width * HASH_BYTES:
                msg = f"{path(level, number, width)} holds no {width} hashes"
                raise DecodeError(msg)
            self._kept[level, number] = content
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end((level, number))
        return self._kept[level, number]

    def _content(self, level: int | str, number: int, width: int) -> bytes:
        """Return a tile, or the beginning of the full one where a partial one is gone."""
        place = path(level, number, width)
        content = self._read(place)
        if content is None and width < WIDTH:
            content = self._read(path(level, number))
            if content is not None:
                return _beginning(level, content, width)
        if content is None:
            msg = f"{place} is not there"
            raise DecodeError(msg)
        return content


def _beginning(level: int | str, content: bytes, width: int) -> bytes:
    if level != "entries":
        return content[: width * HASH_BYTES]
    at = 0
    for _ in range(width):
        (length,) = _LENGTH.unpack(content[at : at + 2].ljust(2, b"\0"))
        at += 2 + length
    return content[:at]
