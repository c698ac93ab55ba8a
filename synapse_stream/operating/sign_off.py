"""Sign-offs: somebody vouches for a run, by Ed25519 over the root of all that is recorded of it.

It is an event of the run's own log, from a producer of its own that seals itself, behind the run's
end. What is signed: `PURPOSE`, and a JSON object of `job`, the event's `time`, `name`, `meaning`,
`entries`, `root` and `key`, its members in the order of their names, no spaces, UTF-8.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.entries.batch import GENESIS, RawEntry, parse_fields, seal
from synapse_stream.entries.tree import Tree, leaf_of
from synapse_stream.errors import ConfigError, SynapseStreamError
from synapse_stream.events.encoding import encode
from synapse_stream.events.plain import clean
from synapse_stream.reading.ending import is_over
from synapse_stream.reading.recorded import events_of
from synapse_stream.redaction.text import redact_text
from synapse_stream.remote.secret import read_setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.reading.job_reader import JobReader
    from synapse_stream.settings import Settings

PURPOSE = b"synapse-stream sign-off 1\n"
PRODUCER = "sign-off-"
"""What the ids of producers begin with that sign off."""

_SIGNED = ("time", "name", "meaning", "entries", "root", "key")
_LONGEST = 1_000
_VARIABLE = "SYNAPSE_STREAM_SIGN_OFF_KEY"


class NotSigned(SynapseStreamError):
    """A run cannot be signed off; the message says why. `is_known` is False: there is none."""

    is_known = True


class Signed(NamedTuple):
    """A sign-off as it was made."""

    entries: int
    root: str
    key: str


def statement(job_id: str, event: Mapping[str, Any]) -> bytes:
    """Return what is signed, given the fields of a `signed_off` event."""
    said = {"job": job_id, **{name: event[name] for name in _SIGNED}}
    return PURPOSE + orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


class Pen:
    """Signs off with one private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    @classmethod
    def of(cls, settings: Settings) -> Pen:
        """Return the pen of the settings.

        Raises:
            ConfigError: there is no key, it is none, or `cryptography` is not installed.
        """
        given = settings.sign_off_key
        if given is None:
            msg = f"{_VARIABLE} is not set: an Ed25519 private key in PEM, or @ and its file"
            raise ConfigError(msg)
        return cls(_private_key(read_setting(_VARIABLE, given.get_secret_value())))

    def sign(
        self, reader: JobReader, log: EventLog, job_id: str, name: str, meaning: str
    ) -> Signed:
        """Sign a run off as it is recorded now.

        Args:
            reader: reads it.
            log: takes the event.
            job_id: of the run.
            name: who signs.
            meaning: what for.

        Raises:
            NotSigned: it has not ended, there is none, or a text is empty or too long.
            LogUnavailable, SynapseStreamError: it cannot be read, or the event was not taken.
        """
        name, meaning = (clean(redact_text(text)) for text in (name, meaning))
        if not 0 < len(name) <= _LONGEST or not 0 < len(meaning) <= _LONGEST:
            msg = f"name and meaning of a sign-off have 1 to {_LONGEST} characters each"
            raise NotSigned(msg)
        entries, root = _root(job_id, reader.entries(job_id))
        now = time.time_ns() // 1_000
        said = {"time": now, "name": name, "meaning": meaning, "entries": entries, "root": root}
        said["key"] = self.public
        signature = self._key.sign(statement(job_id, said)).hex()
        del said["time"]
        (body,) = encode("signed_off", None, {**said, "signature": signature})
        (end,) = encode("end", None, {"status": None, "count": 2})
        head = b'{"seq":%d,"time":%d,'
        lines = (head % (0, now)) + body + b"\n" + (head % (1, now)) + end + b"\n"
        producer = PRODUCER + secrets.token_hex(8)
        log.append(seal(GENESIS, job_id, producer, 0, 1, lines))
        return Signed(entries, root, self.public)


def _root(job_id: str, entries: Iterable[RecordedBatch]) -> tuple[int, str]:
    """Return how many entries a run has, and the root (hex) of the tree over them."""
    tree, has_ended = Tree(), None
    for entry in entries:
        raw = RawEntry(entry.ms, entry.seq, entry.raw or {})
        tree.add(leaf_of(raw, parse_fields(raw.fields)))
        for recorded in events_of(entry):
            has_ended = is_over(recorded.event, has_ended)
    if not has_ended:
        said = "goes on: it is signed off when it has ended" if tree.size else "is not known"
        refused = NotSigned(f"job {job_id!r} {said}")
        refused.is_known = tree.size > 0
        raise refused
    return tree.size, tree.root().hex()


def _private_key(pem: str) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )
    except ModuleNotFoundError as error:
        msg = "signing off needs the package cryptography: pip install 'synapse-stream[audit]'"
        raise ConfigError(msg) from error
    wrong = f"{_VARIABLE} is no Ed25519 private key in PEM without a password"
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = f"{wrong}: {error}"
        raise ConfigError(msg) from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ConfigError(wrong)
    return key
