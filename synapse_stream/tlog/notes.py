"""Signed notes (c2sp.org/signed-note): a text, and below it a line for each who has signed it."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Self

from synapse_stream.errors import ConfigError, DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519, COSIGNATURE = 1, 4
"""Kinds of keys: of a log, and of a witness (c2sp.org/tlog-cosignature, cosignature/v1)."""

MISSING = "keys need the package cryptography: pip install 'synapse-stream[audit]' brings it"

_DASH = "\N{EM DASH} "
_ID_BYTES, _KEY_BYTES, _SIGNATURE_BYTES = 4, 32, 64
_MOST_BYTES, _MOST_SIGNATURES = 64 * 1024, 64


class Signature(NamedTuple):
    """One line below a note."""

    name: str
    key_id: bytes
    content: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {b64encode(self.key_id + self.content).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line, without its newline.

        Raises:
            DecodeError: it is none.
        """
        name, _, text = line.removeprefix(_DASH).partition(" ")
        content = decoded(text)
        if not line.startswith(_DASH) or not is_name(name) or len(content) <= _ID_BYTES:
            msg = f"{line!r:.100} is no signature of a note"
            raise DecodeError(msg)
        return cls(name, content[:_ID_BYTES], content[_ID_BYTES:])


class Note(NamedTuple):
    """A text that ends with a newline, and who has signed it."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read a note.

        Raises:
            DecodeError: it is none.
        """
        try:
            whole = content.decode()
        except UnicodeDecodeError as error:
            msg = f"a note is no UTF-8: {error}"
            raise DecodeError(msg) from error
        text, blank, below = whole.rpartition("\n\n")
        if (
            not blank
            or not below.endswith("\n")
            or len(content) > _MOST_BYTES
            or any(char < " " and char != "\n" for char in whole)
        ):
            msg = f"{content!r:.100} is no signed note"
            raise DecodeError(msg)
        lines = below.split("\n")[:-1]
        if len(lines) > _MOST_SIGNATURES:
            msg = f"a note has {len(lines)} signatures"
            raise DecodeError(msg)
        return cls(text + "\n", tuple(map(Signature.parse, lines)))

    def signed(self, signatures: Iterable[Signature]) -> Self:
        """Return the note with further signatures, in place of those by the same keys."""
        new = {(one.name, one.key_id): one for one in (*self.signatures, *signatures)}
        return self._replace(signatures=tuple(new.values()))


class Key(NamedTuple):
    """A public key, as a *vkey* writes it: `NAME+ID+KIND AND KEY`."""

    name: str
    kind: int
    public: bytes

    def __str__(self) -> str:
        body = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{body}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a vkey.

        Raises:
            DecodeError: it is none, or of another kind than those two.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, body = rest.partition("+")
        content = decoded(body)
        key = cls(name, content[0] if content else 0, content[1:])
        if (
            not is_name(name)
            or key.kind not in {ED25519, COSIGNATURE}
            or len(key.public) != _KEY_BYTES
            or key.id.hex() != key_id
        ):
            msg = f"{text!r:.200} is no verifier key of Ed25519, as c2sp.org/signed-note has it"
            raise DecodeError(msg)
        return key

    @property
    def id(self) -> bytes:
        """The four bytes that name it in signatures."""
        content = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(content).digest()[:_ID_BYTES]

    def verify(self, note: Note) -> int | None:
        """Return when it has signed a note, in seconds since the epoch; 0 where that is not told.

        None where it has not.

        Raises:
            DecodeError: what stands there as its signature is wrong.
        """
        mine = [one for one in note.signatures if (one.name, one.key_id) == (self.name, self.id)]
        if not mine:
            return None
        (signature, *more) = mine
        time, message = 0, note.text.encode()
        content = signature.content
        if self.kind == COSIGNATURE and len(content) == 8 + _SIGNATURE_BYTES:
            (time,) = struct.unpack(">Q", content[:8])
            message, content = _cosigned(note.text, time), content[8:]
        if more or not is_signed(self.public, content, message):
            msg = f"the signature of {self.name} is wrong"
            raise DecodeError(msg)
        return time


class SigningKey:
    """An Ed25519 key of whoever signs."""

    def __init__(self, pem: bytes) -> None:
        """Take it as PKCS 8 in PEM, without a password.

        Raises:
            ConfigError: it is none, or `cryptography` is not installed.
        """
        self._key = _private(pem)
        self.public = self._key.public_key().public_bytes_raw()

    def key(self, name: str, kind: int) -> Key:
        """Return its public key under a name."""
        return Key(name, kind, self.public)

    def sign(self, message: bytes) -> bytes:
        """Return the bare signature (64 bytes) of a message."""
        return self._key.sign(message)

    def signed(self, name: str, text: str) -> Signature:
        """Sign the text of a note as a log does."""
        return Signature(name, self.key(name, ED25519).id, self._key.sign(text.encode()))

    def cosigned(self, name: str, text: str, seconds: int) -> Signature:
        """Sign the text of a checkpoint as a witness does, at a time since the epoch."""
        content = struct.pack(">Q", seconds) + self._key.sign(_cosigned(text, seconds))
        return Signature(name, self.key(name, COSIGNATURE).id, content)


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a bare signature holds.

    Raises:
        ConfigError: `cryptography` is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PublicKey,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(MISSING) from error
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_name(name: str) -> bool:
    """Tell whether a key may be called so."""
    return bool(name) and "+" not in name and not any(char.isspace() for char in name)


def decoded(text: str) -> bytes:
    """Return what a base64 text holds; nothing where it is none, or not in its one form."""
    try:
        content = b64decode(text, validate=True)
    except ValueError:
        return b""
    return content if b64encode(content).decode() == text else b""


def _private(pem: bytes) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PrivateKey,
        )
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(MISSING) from error
    wrong = "it is no Ed25519 private key in PEM without a password"
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = f"{wrong}: {error}"
        raise ConfigError(msg) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(wrong)
    return key


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
