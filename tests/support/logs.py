"""Transparency logs in a folder, with a key of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from synapse_stream.entries.tree import Tree
from synapse_stream.tlog.checkpoint import Checkpoint, SignedCheckpoint
from synapse_stream.tlog.folder import LogFolder
from synapse_stream.tlog.notes import ED25519, Key, Note, SigningKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def new_pem() -> bytes:
    """Return a new private key."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Log:
    """A log that somebody signs who signs anything."""

    def __init__(self, path: Path, origin: str = "test.example/log", pem: bytes = b"") -> None:
        self.folder = LogFolder(path)
        self.origin = origin
        self.signer = SigningKey(pem or new_pem())
        self.head = Checkpoint(origin, 0, Tree().root())

    @property
    def key(self) -> Key:
        return self.signer.key(self.origin, ED25519)

    def note(self, checkpoint: Checkpoint) -> Note:
        return Note(checkpoint.text, (self.signer.signed(self.origin, checkpoint.text),))

    def add(self, entries: Sequence[bytes]) -> SignedCheckpoint:
        with self.folder.locked():
            found = self.folder.append(self.head, entries, self.note)
        self.head = found.checkpoint
        return found

    def proof(self, old: int) -> list[bytes]:
        """Return how the log has grown since it had `old` entries."""
        from synapse_stream.tlog.proofs import consistency

        return consistency(old, self.head.size, self.folder.tiles(self.head.size).hash)
