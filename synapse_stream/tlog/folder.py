"""A log in a folder: tiles that are written once, and the newest checkpoint."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from synapse_stream.entries.tree import HASH_BYTES, Tree, leaf
from synapse_stream.errors import DecodeError
from synapse_stream.system.private import make_folder
from synapse_stream.tlog.checkpoint import Checkpoint, SignedCheckpoint
from synapse_stream.tlog.files import put
from synapse_stream.tlog.tiles import LEVELS, LONGEST_ENTRY, WIDTH, Tiles, bundle, path

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.tlog.notes import Key, Note, Signature

Sign = Callable[[Checkpoint], "Note"]

CHECKPOINT = "checkpoint"
"""The file of the newest checkpoint."""

_COSIGNED = "cosigned"  # a folder, and in it a file a witness

_LARGEST = 32 * 1024 * 1024


class LogFolder:
    """One log. Whoever writes locks it; what is written is on the disk when a method returns."""

    def __init__(self, folder: Path) -> None:
        self.path = folder

    def read(self, name: str) -> bytes | None:
        """Return what stands at a path below the log; None where there is nothing.

        Raises:
            OSError: it cannot be read, or is no file.
        """
        try:  # a pipe of that name keeps nobody waiting, and is empty
            file = os.open(self.path / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(file, "rb") as opened:
            return opened.read(_LARGEST)

    def checkpoint(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint; no signature is verified.

        Raises:
            DecodeError: it is none.
            OSError: it cannot be read.
        """
        content = self.read(CHECKPOINT)
        return None if content is None else SignedCheckpoint.parse(content)

    def cosigned(self, key: Key) -> SignedCheckpoint | None:
        """Return what a witness has cosigned last; no signature is verified.

        Raises:
            DecodeError: it is no checkpoint.
            OSError: it cannot be read.
        """
        content = self.read(f"{_COSIGNED}/{key.id.hex()}")
        return None if content is None else SignedCheckpoint.parse(content)

    def put_cosigned(self, signed: SignedCheckpoint, signature: Signature) -> None:
        """Lay what a witness has cosigned beside the log."""
        note = signed.note.signed([signature])
        self.write(f"{_COSIGNED}/{signature.key_id.hex()}", str(note).encode())

    def tiles(self, size: int) -> Tiles:
        """Return what reads the first `size` entries."""
        return Tiles(self.read, size)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from writing.

        Raises:
            OSError: the folder cannot be written.
        """
        make_folder(self.path)
        lock = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def append(self, before: Checkpoint, entries: Sequence[bytes], sign: Sign) -> SignedCheckpoint:
        """Add entries behind the checkpoint `before`, which must be the newest, while `locked`.

        Raises:
            DecodeError: the hashes that are there are not those of that checkpoint.
            ValueError: an entry is longer than 65,535 bytes.
            OSError: it could not be written.
        """
        if any(len(entry) > LONGEST_ENTRY for entry in entries):
            msg = f"an entry of a log has at most {LONGEST_ENTRY} bytes"
            raise ValueError(msg)
        tiles = self.tiles(before.size)
        tree = tiles.tree(before.size)
        if tree.root() != before.root:
            msg = f"the hashes in {self.path} are not those of its checkpoint of {before.size}"
            raise DecodeError(msg)
        leaves = [leaf(entry) for entry in entries]
        for one in leaves:
            tree.add(one)
        self._write_entries(tiles, entries)
        self._write_hashes(before.size, leaves)
        checkpoint = Checkpoint(before.origin, tree.size, tree.root())
        note = sign(checkpoint)
        self.write(CHECKPOINT, str(note).encode())
        self._drop_partial(before.size, tree.size)
        return SignedCheckpoint(checkpoint, note)

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place, whole."""
        put(self.path / name, content)

    def _write_entries(self, tiles: Tiles, entries: Sequence[bytes]) -> None:
        number, width = divmod(tiles.size, WIDTH)
        all_of = [*(tiles.bundle(number) if width else ()), *entries]
        for begin in range(0, len(all_of), WIDTH):
            some = all_of[begin : begin + WIDTH]
            self.write(path("entries", number + begin // WIDTH, len(some)), bundle(some))

    def _write_hashes(self, size: int, new: Sequence[bytes]) -> None:
        level = 0
        while new:
            number, width = divmod(size, WIDTH)
            there = self.read(path(level, number, width)) if width else b""
            if there is None:
                msg = f"{path(level, number, width)} is not there"
                raise DecodeError(msg)
            content, above = there + b"".join(new), []
            step = WIDTH * HASH_BYTES
            for begin in range(0, len(content), step):
                tile = content[begin : begin + step]
                place = path(level, number + begin // step, len(tile) // HASH_BYTES)
                self.write(place, tile)
                if len(tile) == step:
                    above.append(_root(tile))
            size, new, level = size >> LEVELS, above, level + 1

    def _drop_partial(self, before: int, size: int) -> None:
        """Remove the partial tiles that are full in a log of `size` entries."""
        level = 0
        while before // WIDTH < size // WIDTH:
            for kind in (level, "entries")[: 2 if not level else 1]:
                tile = self.path / f"{path(kind, before // WIDTH)}.p"
                shutil.rmtree(tile, ignore_errors=True)
            before, size, level = before >> LEVELS, size >> LEVELS, level + 1


def _root(tile: bytes) -> bytes:
    tree = Tree()
    for begin in range(0, len(tile), HASH_BYTES):
        tree.add(tile[begin : begin + HASH_BYTES])
    return tree.root()
