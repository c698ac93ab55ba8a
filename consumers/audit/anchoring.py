"""Where the anchors of a deployment are, who signs them, and whose signatures are believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from consumers.audit.ring import Ring
from synapse_stream.errors import ConfigError, DecodeError
from synapse_stream.tlog.asking import KnownWitness
from synapse_stream.tlog.folder import LogFolder
from synapse_stream.tlog.notes import Key, SigningKey

if TYPE_CHECKING:
    from synapse_stream.settings import Settings


class Believed(NamedTuple):
    """Whose checkpoints are believed."""

    keys: tuple[Key, ...]
    own: bytes | None
    """The public key of who signs here, for a log of any name."""

    def ring(self, origin: str) -> Ring:
        """Return the keys of a log, before its entries are taken."""
        own = [] if self.own is None else [self.own]
        return Ring(origin, [*own, *(key.public for key in self.keys if key.name == origin)])


def log_of(settings: Settings) -> LogFolder | None:
    """Return the transparency log of a deployment; None when no place is set."""
    return LogFolder(settings.anchors / settings.namespace) if settings.anchors else None


def signer_of(settings: Settings) -> SigningKey | None:
    """Return what signs; None when there is no key.

    Raises:
        ConfigError: the key is none.
    """
    if settings.signing_key is None:
        return None
    name = "SYNAPSE_STREAM_SIGNING_KEY"
    try:
        return SigningKey(content_of(name, settings.signing_key.get_secret_value()))
    except ConfigError as error:
        msg = f"{name}: {error}"
        raise ConfigError(msg) from None


def believed(settings: Settings) -> Believed | None:
    """Return whose checkpoints are believed; None when there is no key.

    Raises:
        ConfigError: a key is none.
    """
    signer = signer_of(settings)
    keys = keys_in("SYNAPSE_STREAM_VERIFY_KEYS", settings.verify_keys)
    return Believed(keys, signer.public if signer else None) if keys or signer else None


def witnesses_of(settings: Settings) -> list[KnownWitness]:
    """Return the witnesses that are believed.

    Raises:
        ConfigError: one has no key of a witness.
    """
    name = "SYNAPSE_STREAM_WITNESSES"
    text = content_of(name, settings.witnesses) if settings.witnesses else b""
    try:
        return KnownWitness.parse(text.decode(errors="replace"))
    except DecodeError as error:
        msg = f"{name}: {error}"
        raise ConfigError(msg) from error


def keys_in(name: str, text: str | None) -> tuple[Key, ...]:
    """Return the keys that a setting names: a vkey a word, or `@` and a file of them.

    Raises:
        ConfigError: one is none.
    """
    words = content_of(name, text).decode(errors="replace").split() if text else ()
    try:
        return tuple(map(Key.parse, words))
    except DecodeError as error:
        msg = f"{name}: {error}"
        raise ConfigError(msg) from error


def content_of(name: str, text: str) -> bytes:
    """Return what a setting holds: its text, or with `@` before it what that file has.

    Raises:
        ConfigError: it cannot be read.
    """
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        msg = f"{name}: {error}"
        raise ConfigError(msg) from error
