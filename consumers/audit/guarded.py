"""The log that is signed: added to only while it is what it was."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from consumers.audit.anchors import KEY, REVOCATION, read_entry
from consumers.audit.ring import change_of_keys
from consumers.errors import AnchorsRefused
from synapse_stream.entries.tree import Tree
from synapse_stream.errors import ConfigError, DecodeError
from synapse_stream.tlog.checkpoint import Checkpoint
from synapse_stream.tlog.notes import Note
from synapse_stream.tlog.proofs import consistency, is_consistent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.audit.anchoring import Believed
    from consumers.audit.memory import Memory
    from consumers.audit.ring import Ring
    from synapse_stream.tlog.checkpoint import SignedCheckpoint
    from synapse_stream.tlog.folder import LogFolder
    from synapse_stream.tlog.notes import SigningKey

_UNTIL = (
    "nothing is signed until it is what it was; look whether its place is mounted. If it is gone "
    "for good, `synapse-stream anchors init` begins another, and says so"
)


class GuardedLog:
    """A folder, its key, and who remembers."""

    def __init__(
        self, folder: LogFolder, signer: SigningKey, believed: Believed, memory: Memory
    ) -> None:
        self.folder = folder
        self._signer = signer
        self._believed = believed
        self._memory = memory
        self._ring: tuple[str, int, Ring] | None = None
        """Name of the log, how many of its entries were taken, and what came of them."""

    def append(
        self, entries: Sequence[bytes], *, also: SigningKey | None = None
    ) -> SignedCheckpoint:
        """Add entries, sign, `also` with another key, and have the new checkpoint remembered.

        Raises:
            AnchorsRefused: the log is not what is remembered, nor has it grown from that.
            OSError: it could not be written, or nobody could be asked.
        """
        with self.folder.locked():
            before = self.check()
            try:
                found = self.folder.append(before, entries, partial(self.sign, also=also))
            except DecodeError as error:
                raise self.refused(str(error)) from error
            self._memory.remember(found)
        return found

    def begin(self, origin: str, entry: bytes) -> SignedCheckpoint:
        """Begin a log with its first entry, and forget what was remembered of another.

        Raises:
            OSError: it could not be written, or nobody could be asked.
        """
        with self.folder.locked():
            empty = Checkpoint(origin, 0, Tree().root())
            found = self.folder.append(empty, [entry], self.sign)
            self._memory.remember(found)
        return found

    def sign(self, checkpoint: Checkpoint, *, also: SigningKey | None = None) -> Note:
        """Sign a checkpoint as the log."""
        text, keys = checkpoint.text, [self._signer, *([also] if also else [])]
        return Note(text, tuple(key.signed(checkpoint.origin, text) for key in keys))

    def change_keys(self, key: bytes, new: SigningKey | None = None) -> SignedCheckpoint:
        """Let the key of `new` in, or without one revoke a public key. Raises as `append`."""
        time_ms = time.time_ns() // 1_000_000
        entry = change_of_keys(self._signer, key, time_ms=time_ms, is_revoked=new is None)
        return self.append([entry], also=new)

    def check(self) -> Checkpoint:
        """Return the newest checkpoint.

        Raises:
            AnchorsRefused: it does not follow from what is remembered.
            ConfigError: the key was revoked.
            OSError: it cannot be read, or nobody could be asked.
        """
        remembered = self._memory.recall()
        place = self.folder.path
        try:
            now = self.folder.checkpoint()
            if now is not None:
                ring = self._ring_of(now.checkpoint)
                ring.check(now)
                self._check_own(ring, now.checkpoint)
        except DecodeError as error:
            msg = f"the checkpoint in {place} cannot be read: {error}"
            raise self.refused(msg) from error
        for who, signed in remembered.items():
            then = signed.checkpoint
            said = f"{who} remembers {then.size} entries of {then.origin}"
            if now is None:
                msg = f"{said}, but there is no log in {place}"
                raise self.refused(msg)
            if (found := fault(self.folder, then, now.checkpoint)) is not None:
                msg = f"{said}, but {place} has {found}"
                raise self.refused(msg)
        if now is None:
            msg = (
                f"there is no log of anchors in {place}: nothing is signed until there is; "
                "`synapse-stream anchors init` begins one"
            )
            raise self.refused(msg, hint="")
        return now.checkpoint

    def _check_own(self, ring: Ring, now: Checkpoint) -> None:
        if not ring.may_sign(self._signer.public, now.size + 1):
            msg = f"the key in SYNAPSE_STREAM_SIGNING_KEY may not sign {now.origin} any more"
            raise ConfigError(msg)

    def _ring_of(self, now: Checkpoint) -> Ring:
        """Return who may sign; only new entries are read."""
        name, taken, ring = self._ring or ("", 0, self._believed.ring(now.origin))
        if name != now.origin or taken > now.size:
            taken, ring = 0, self._believed.ring(now.origin)
        for number, entry in enumerate(self.folder.tiles(now.size).entries(taken), taken):
            body = read_entry(entry)
            if body["type"] in {KEY, REVOCATION}:
                ring.take(number, body)
        self._ring = (now.origin, now.size, ring)
        return ring

    def refused(self, reason: str, hint: str = f": {_UNTIL}") -> AnchorsRefused:
        """Have it be known that nothing is signed, and why; return what to raise."""
        with suppress(OSError):
            self._memory.refuse(f"{reason}{hint}")
        return AnchorsRefused(f"{reason}{hint}")


def fault(folder: LogFolder, then: Checkpoint, now: Checkpoint) -> str | None:
    """Return why a log has not grown from what it was; None where it has.

    Raises:
        OSError: it cannot be read.
    """
    if then.origin != now.origin:
        return f"{now.origin}, another log"
    if now.size < then.size:
        return f"{now.size}"
    try:
        proof = consistency(then.size, now.size, folder.tiles(now.size).hash)
    except DecodeError as error:
        return f"hashes that do not show it: {error}"
    if not is_consistent(then.size, then.root, now.size, now.root, proof):
        return "others in their place"
    return None
