"""Which keys may sign a log, entry by entry: those that are believed, and whom they have let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.audit.anchors import KEY, REVOCATION, VERSION, written
from synapse_stream.errors import DecodeError
from synapse_stream.tlog.notes import ED25519, Key, is_signed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_stream.tlog.checkpoint import SignedCheckpoint
    from synapse_stream.tlog.notes import SigningKey

_PURPOSE = b"synapse-stream key 1\n"


class Ring:
    """The keys of one log, as far as its entries were taken."""

    def __init__(self, origin: str, keys: Iterable[bytes]) -> None:
        """Take the name of the log, and the public keys that are believed from outside."""
        self._origin = origin
        self._since = dict.fromkeys(keys, 0)
        """By key, of how many entries a checkpoint must be that it signs, at least."""
        self._until: dict[bytes, int] = {}
        """By key that was revoked, of how many at most."""

    def take(self, number: int, body: dict[str, Any]) -> None:
        """Take an entry of type `key` or `revocation`, given its number.

        One that is said by a key of which nothing is known changes nothing.

        Raises:
            DecodeError: it is said by a key that may not sign then, or wrongly signed.
        """
        try:
            key, by = bytes.fromhex(body["key"]), bytes.fromhex(body["by"])
            signature = bytes.fromhex(body["signature"])
        except (KeyError, TypeError, ValueError) as error:
            msg = f"it tells of no key: {error!r}"
            raise DecodeError(msg) from error
        if by not in self._since:
            return
        unsigned = {name: value for name, value in body.items() if name != "signature"}
        if not self.may_sign(by, number) or not is_signed(
            by, signature, _PURPOSE + written(unsigned)
        ):
            msg = "no key that may sign here has signed it"
            raise DecodeError(msg)
        if body["type"] == KEY:
            self._since.setdefault(key, number + 1)
        else:
            self._until.setdefault(key, number)

    def check(self, signed: SignedCheckpoint) -> None:
        """Raise DecodeError if no key has signed a checkpoint that may sign one of its size."""
        size = signed.checkpoint.size
        keys = [Key(self._origin, ED25519, key) for key in self._since if self.may_sign(key, size)]
        if all(key.verify(signed.note) is None for key in keys):
            msg = f"no key that is believed has signed {size} entries of {self._origin}"
            raise DecodeError(msg)

    def may_sign(self, key: bytes, size: int) -> bool:
        """Tell whether a key may sign a checkpoint of so many entries."""
        return key in self._since and self._since[key] <= size <= self._until.get(key, size)


def change_of_keys(signer: SigningKey, key: bytes, *, time_ms: int, is_revoked: bool) -> bytes:
    """Return the entry by which a key lets another one in, or revokes it."""
    body = {
        "v": VERSION,
        "type": REVOCATION if is_revoked else KEY,
        "key": key.hex(),
        "by": signer.public.hex(),
        "time_ms": time_ms,
    }
    return written({**body, "signature": signer.sign(_PURPOSE + written(body)).hex()})
