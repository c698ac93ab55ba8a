"""Asking witnesses to cosign a log: who runs it does, and who verifies it."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from synapse_stream.errors import DecodeError
from synapse_stream.tlog.notes import COSIGNATURE, Key, Signature
from synapse_stream.tlog.proofs import consistency
from synapse_stream.tlog.witness import Asked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_stream.tlog.checkpoint import SignedCheckpoint
    from synapse_stream.tlog.folder import LogFolder

_SECONDS = 5.0
_MOST_BYTES = 64 * 1024
_TRIES = 3  # others may have it cosign more in between
_OK, _CONFLICT, _CONTRADICTION = 200, 409, 422


class Contradicted(Exception):
    """A witness has cosigned what this log has not grown from: it was rolled back, or forked."""


class KnownWitness(NamedTuple):
    """A witness that is believed."""

    key: Key
    url: str | None = None
    """Where it can be asked; None if it looks at the log by itself."""

    @classmethod
    def parse(cls, text: str) -> list[Self]:
        """Read verifier keys, each followed by its witness's address if it has one.

        Raises:
            DecodeError: one is no key of a witness.
        """
        found: list[Self] = []
        for word in text.split():
            if found and word.startswith(("http://", "https://")):
                found[-1] = found[-1]._replace(url=word.rstrip("/"))
                continue
            key = Key.parse(word)
            if key.kind != COSIGNATURE:
                msg = f"{word} is the key of a log, not of a witness"
                raise DecodeError(msg)
            found.append(cls(key))
        return found

    def cosign(self, folder: LogFolder, signed: SignedCheckpoint) -> Signature:
        """Have it cosign the newest checkpoint of a log.

        Raises:
            Contradicted: it has cosigned another log of that name, or more of it.
            OSError: it does not answer, or not as a witness does.
        """
        now = signed.checkpoint
        status, answer = self._ask(bytes(Asked(0, [], signed)))
        for _ in range(_TRIES):
            if status != _CONFLICT or not answer.strip().isdigit():
                break
            if (old := int(answer)) > now.size:
                msg = f"{self.key.name} has cosigned {old} entries of {now.origin}, not {now.size}"
                raise Contradicted(msg)
            proof = consistency(old, now.size, folder.tiles(now.size).hash)
            status, answer = self._ask(bytes(Asked(old, proof, signed)))
        if status == _CONTRADICTION:
            msg = f"{self.key.name} has cosigned what {now.origin} has not grown from"
            raise Contradicted(msg)
        if status != _OK:
            msg = f"{self.key.name} answers {status}: {answer.strip():.200}"
            raise OSError(msg)
        return self._of(signed, answer)

    def _of(self, signed: SignedCheckpoint, answer: str) -> Signature:
        """Return its cosignature from an answer, if it holds."""
        try:
            lines = map(Signature.parse, answer.removesuffix("\n").split("\n"))
            mine = [one for one in lines if one.key_id == self.key.id]
            if mine and self.key.verify(signed.note.signed(mine)):
                return mine[0]
        except DecodeError as error:
            msg = f"{self.key.name} cosigns wrongly: {error}"
            raise OSError(msg) from error
        msg = f"{self.key.name} answers without its cosignature"
        raise OSError(msg)

    def _ask(self, body: bytes) -> tuple[int, str]:
        parts = urlsplit(self.url or "")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
        try:
            connection.request("POST", f"{parts.path}/add-checkpoint", body)
            answer = connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES).decode(errors="replace")
        except HTTPException as error:
            msg = f"{self.key.name} does not answer as a witness: {error!r}"
            raise OSError(msg) from error
        finally:
            connection.close()


def cosigned(folder: LogFolder, witnesses: Iterable[KnownWitness]) -> dict[str, SignedCheckpoint]:
    """Return, by its name, what each witness has cosigned last, as it lies beside the log.

    What does not hold is left out: anybody may have written it.
    """
    found = {}
    for one in witnesses:
        try:
            signed = folder.cosigned(one.key)
            if signed is not None and one.key.verify(signed.note):
                found[one.key.name] = signed
        except (DecodeError, OSError):
            continue
    return found
