"""Checkpoints (c2sp.org/tlog-checkpoint): which log, how many entries, and the root over them."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import NamedTuple, Self

from synapse_stream.entries.tree import HASH_BYTES
from synapse_stream.errors import DecodeError
from synapse_stream.tlog.notes import Note, decoded

_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_LINES = 3


class Checkpoint(NamedTuple):
    """The head of a log's tree."""

    origin: str
    """The name of the log."""
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def of(cls, note: Note) -> Self:
        """Read the text of a note.

        Raises:
            DecodeError: it is no checkpoint, or has further lines.
        """
        lines = note.text.split("\n")
        origin, size, root = lines[:_LINES] if len(lines) == _LINES + 1 else ("", "", "")
        if not origin or not _SIZE.fullmatch(size) or len(decoded(root)) != HASH_BYTES:
            msg = f"{note.text!r:.100} is no checkpoint"
            raise DecodeError(msg)
        return cls(origin, int(size), decoded(root))


class SignedCheckpoint(NamedTuple):
    """A checkpoint, with the note that says so."""

    checkpoint: Checkpoint
    note: Note

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read one; no signature is verified.

        Raises:
            DecodeError: it is none.
        """
        note = Note.parse(content)
        return cls(Checkpoint.of(note), note)
