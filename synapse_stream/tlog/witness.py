"""A witness (c2sp.org/tlog-witness) cosigns the checkpoints of a log while that does but grow.

It remembers one checkpoint a log, and believes nothing else: not whoever runs the log, nor its
store, its server or its key. Who has a log cosigned can show nobody another one.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.entries.tree import HASH_BYTES, Tree
from synapse_stream.errors import DecodeError
from synapse_stream.system.private import held, make_folder
from synapse_stream.tlog.checkpoint import Checkpoint, SignedCheckpoint
from synapse_stream.tlog.files import put
from synapse_stream.tlog.notes import COSIGNATURE, Key, Signature, decoded
from synapse_stream.tlog.proofs import is_consistent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from synapse_stream.tlog.notes import SigningKey

MOST_BYTES = 64 * 1024
_MOST_PROOF = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,15})")


class Asked(NamedTuple):
    """A request: how a log has grown, and to what."""

    old: int
    proof: Sequence[bytes]
    signed: SignedCheckpoint

    def __bytes__(self) -> bytes:
        lines = [f"old {self.old}", *(b64encode(one).decode() for one in self.proof)]
        return (
            "".join(f"{line}\n" for line in [*lines, ""]).encode() + str(self.signed.note).encode()
        )

    @classmethod
    def parse(cls, content: bytes) -> Asked:
        """Read the body of a request.

        Raises:
            DecodeError: it is none.
        """
        above, blank, note = content.partition(b"\n\n")
        old, *lines = above.decode(errors="replace").split("\n")
        proof = list(map(decoded, lines))
        found = _OLD.fullmatch(old)
        if (
            found is None
            or not blank
            or len(proof) > _MOST_PROOF
            or any(len(one) != HASH_BYTES for one in proof)
        ):
            msg = f"{content!r:.100} asks for no cosignature"
            raise DecodeError(msg)
        return cls(int(found[1]), proof, SignedCheckpoint.parse(note))


class Refused(Exception):
    """A checkpoint is not cosigned.

    Attributes:
        status: of HTTP, as c2sp.org/tlog-witness has it.
        size: of the checkpoint that was cosigned last, if the request is about another.
    """

    def __init__(self, status: int, reason: str, size: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.size = size


class Witness:
    """A name, a key, the logs that are watched, and a folder of what was cosigned of them."""

    def __init__(self, name: str, key: SigningKey, logs: Iterable[Key], folder: Path) -> None:
        """Take them; the folder is made. Processes and threads may share it."""
        self.name = name
        self.key = key.key(name, COSIGNATURE)
        self._signer = key
        self._logs: dict[str, list[Key]] = {}
        for log in logs:
            self._logs.setdefault(log.name, []).append(log)
        self._folder = folder
        make_folder(folder)

    def add(self, asked: Asked) -> Signature:
        """Cosign a checkpoint, and remember it.

        Raises:
            Refused: it is of no log that is watched, or not what has grown of the one before.
            OSError: it cannot be remembered, so it is not cosigned.
        """
        now = asked.signed.checkpoint
        self._check_signed(asked.signed)
        if asked.old > now.size:
            raise Refused(400, f"{now.size} entries cannot have grown from {asked.old}")
        with self._held(now.origin):
            before = self.latest(now.origin)
            self._check_grown(before, asked)
            put(self._file(now.origin), str(asked.signed.note).encode())
        return self._signer.cosigned(self.name, asked.signed.note.text, int(time.time()))

    def latest(self, origin: str) -> Checkpoint:
        """Return the checkpoint of a log that was cosigned last; an empty one if none was.

        Raises:
            OSError: it cannot be read; what is damaged is not begun anew.
        """
        try:
            content = self._file(origin).read_bytes()
        except FileNotFoundError:
            return Checkpoint(origin, 0, Tree().root())
        try:
            return SignedCheckpoint.parse(content).checkpoint
        except DecodeError as error:
            msg = f"what was cosigned of {origin} cannot be read: {error}"
            raise OSError(msg) from error

    def _check_signed(self, signed: SignedCheckpoint) -> None:
        keys = self._logs.get(signed.checkpoint.origin)
        if keys is None:
            raise Refused(404, f"{signed.checkpoint.origin!r:.200} is not watched")
        try:
            times = [key.verify(signed.note) for key in keys]
        except DecodeError as error:
            raise Refused(403, str(error)) from error
        if all(time is None for time in times):
            raise Refused(403, f"no key of {signed.checkpoint.origin} has signed it")

    def _check_grown(self, before: Checkpoint, asked: Asked) -> None:
        now = asked.signed.checkpoint
        if asked.old != before.size:
            msg = f"{before.size} entries of {now.origin} were cosigned, not {asked.old}"
            raise Refused(409, msg, before.size)
        is_grown = is_consistent(before.size, before.root, now.size, now.root, asked.proof)
        if not is_grown or (not now.size and now.root != Tree().root()):
            msg = f"{now.size} entries of {now.origin} are no growth of the {before.size} cosigned"
            raise Refused(422, msg)

    @contextmanager
    def _held(self, origin: str) -> Iterator[None]:
        with held(self._file(origin).with_suffix(".lock")):
            yield

    def _file(self, origin: str) -> Path:
        return self._folder / f"{sha256(origin.encode()).hexdigest()}.checkpoint"
