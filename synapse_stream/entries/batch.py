r"""A batch: consecutive events of one producer, as one entry of the job's stream.

`data` is JSON Lines, the exact bytes that the producer encoded: one event a line, each line ended
by a newline. The chain hash is taken over these bytes uncompressed, so compression is transport
only; not over the bytes themselves but over the root of their salted leaves (see `leaves`), so that
it stays when a line has to go:

    hash = SHA-256(previous hash ‖ header ‖ root)
    header = "synapse-stream 1\n" job_id "\n" producer "\n" first "\n" last "\n"

The first batch of a producer follows `GENESIS`, 32 zero bytes.

Every reader of a stream, of the archive or of an export comes through `decode_fields`, where an
entry is judged by its own numbers before it is unpacked: see `limits`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import zstandard

from synapse_stream.entries.leaves import SEED_BYTES, are_salts, have_lines, root_of
from synapse_stream.entries.limits import (
    LARGEST_DATA_BYTES,
    check_lines,
    check_size,
    compress,
    declared_bytes,
    decompress,
)
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

GENESIS = bytes(32)

_COMPRESS_FROM_BYTES = 1024  # below that a zstd frame saves next to nothing
_COMPRESSED = (b"p", b"n", b"m", b"h", b"s", b"z")
_WRITTEN = {(b"p", b"n", b"m", b"h", b"s", b"d"), _COMPRESSED}
_MOST_DIGITS = 16
_ZERO = ord("0")
_LONGEST_PRODUCER = 200  # bytes
_LAST_WORD = re.compile(
    rb'\{"seq":(\d+),"time":\d+,(?:"count":\d+,)?"type":"(?:end|producer_lost)"'
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events number `first` to `last` of one producer.

    A batch has `last - first + 1` lines, unless it holds a single `loss` event that stands for the
    whole range.
    """

    job_id: str
    producer: str
    first: int
    last: int
    hash: bytes
    data: bytes
    salts: bytes = b""
    """A seed, or parts; none where nobody asks for the chain, as of lines that are folded."""

    def is_linked_to(self, previous: bytes) -> bool:
        """Tell whether the chain hash follows from `previous` and the batch's own content."""
        return self.hash == chain(
            previous, self.job_id, self.producer, self.first, self.last, self.root()
        )

    def root(self) -> bytes:
        """Return the root (32 bytes) over the leaves of its lines.

        Raises:
            ValueError: its salts are none, or those of other lines.
        """
        return root_of(self.salts, self.data)

    def lines(self) -> list[bytes]:
        """Return one line an event, without newlines."""
        return self.data.split(b"\n")[:-1]  # splitlines() would also split at a carriage return


class RawEntry(NamedTuple):
    """One entry of a job's stream as it stands there, nothing of it unpacked."""

    ms: int
    seq: int
    fields: Mapping[bytes, bytes]


class Parts(NamedTuple):
    """A batch as the append script writes it; its payload is not unpacked."""

    producer: bytes
    first: int
    last: int
    hash: bytes
    salts: bytes
    is_compressed: bool
    payload: bytes


def chain(previous: bytes, job_id: str, producer: str, first: int, last: int, root: bytes) -> bytes:
    """Return the chain hash (32 bytes) of a batch that follows `previous`.

    `root` is that over the leaves of its lines.
    """
    header = f"synapse-stream 1\n{job_id}\n{producer}\n{first}\n{last}\n".encode()
    return sha256(previous + header + root).digest()


def seal(
    previous: bytes,
    job_id: str,
    producer: str,
    first: int,
    last: int,
    data: bytes,
    salts: bytes | None = None,
) -> Batch:
    """Make the batch that follows `previous` in its chain, with a fresh seed or these salts."""
    salts = os.urandom(SEED_BYTES) if salts is None else salts
    link = chain(previous, job_id, producer, first, last, root_of(salts, data))
    return Batch(job_id, producer, first, last, link, data, salts)


def encode_fields(batch: Batch) -> dict[str, Any]:
    """Return the batch as the fields of a stream entry: p, n, m, h, s and d (plain) or z (zstd)."""
    fields: dict[str, Any] = {
        "p": batch.producer,
        "n": batch.first,
        "m": batch.last,
        "h": batch.hash,
        "s": batch.salts,
    }
    if len(batch.data) >= _COMPRESS_FROM_BYTES:
        fields["z"] = compress(batch.data)
    else:
        fields["d"] = batch.data
    return fields


def decode_fields(job_id: str, fields: Mapping[bytes, bytes]) -> Batch:
    """Read a batch back from the fields of a stream entry.

    Raises:
        DecodeError: a field is missing or damaged, or it is larger than any batch may be.
    """
    try:
        check_size(fields)
        producer, first, last = fields[b"p"].decode(), int(fields[b"n"]), int(fields[b"m"])
        data = fields[b"d"] if b"d" in fields else decompress(fields[b"z"])
        check_lines(data, last - first + 1)
        salts = _checked(fields[b"s"], data)
        return Batch(job_id, producer, first, last, fields[b"h"], data, salts)
    except (KeyError, ValueError, zstandard.ZstdError) as error:
        msg = f"an entry of job {job_id!r} is no batch: {type(error).__name__}: {error}"
        raise DecodeError(msg) from error


def parse_fields(fields: Mapping[bytes, bytes]) -> Parts | None:
    """Return the parts of a stream entry; None for one that the append script does not write so."""
    names = tuple(fields)
    if names not in _WRITTEN:
        return None
    producer, first, last, link, salts, payload = fields.values()
    if not (_is_number(first) and _is_number(last) and len(link) == len(GENESIS)):
        return None
    if not are_salts(salts):
        return None
    begin, end = int(first), int(last)
    if begin > end or len(producer) > _LONGEST_PRODUCER or not _is_text(producer):
        return None
    is_compressed = names == _COMPRESSED
    size = declared_bytes(payload) if is_compressed else len(payload)
    if not 0 <= (size or 0) <= LARGEST_DATA_BYTES or len(payload) > LARGEST_DATA_BYTES:
        return None
    return Parts(producer, begin, end, link, salts, is_compressed, payload)


def written_fields(parts: Parts) -> dict[bytes, bytes]:
    """Return the fields of a batch again, as they stand in a stream."""
    return {
        b"p": parts.producer,
        b"n": b"%d" % parts.first,
        b"m": b"%d" % parts.last,
        b"h": parts.hash,
        b"s": parts.salts,
        b"z" if parts.is_compressed else b"d": parts.payload,
    }


def unpack(job_id: str, entry: RawEntry) -> RawEntry:
    """Return an entry with its lines uncompressed: the same, whichever way it was stored."""
    parts = parse_fields(entry.fields)
    if parts is None or not parts.is_compressed:
        return entry
    try:
        data = decode_fields(job_id, entry.fields).data
    except DecodeError:
        return entry  # kept as it is: what is in it nobody can tell
    fields = written_fields(parts._replace(is_compressed=False, payload=data))
    return RawEntry(entry.ms, entry.seq, fields)


def sealed_count(batch: Batch) -> int | None:
    """Return how many events the producer says it made, if the batch is its last; else None."""
    _, _, line = batch.data.rstrip(b"\n").rpartition(b"\n")
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict) or event.get("type") != "end":
        return None
    count = event.get("count")
    return count if type(count) is int else batch.last + 1


def last_word(lines: bytes) -> int | None:
    """Return the number of the last line, if that is an event behind which none can follow."""
    if not lines.endswith(b"\n"):
        return None
    found = _LAST_WORD.match(lines, lines.rfind(b"\n", 0, -1) + 1)
    return int(found[1]) if found else None


def decode_events(data: bytes) -> list[dict[str, Any]]:
    """Parse JSON Lines in one call; several times as fast as a call a line.

    Raises:
        DecodeError: a line is no JSON.
    """
    try:
        events = orjson.loads(b"[" + data.rstrip(b"\n").replace(b"\n", b",") + b"]")
    except orjson.JSONDecodeError as error:
        msg = f"the batch is no JSON Lines: {error}"
        raise DecodeError(msg) from error
    return events  # type: ignore[no-any-return]


def _checked(salts: bytes, data: bytes) -> bytes:
    if not (are_salts(salts) and have_lines(salts, data)):
        msg = "its salts are those of other lines, or none"
        raise ValueError(msg)
    return salts


def _is_number(text: bytes) -> bool:
    """Tell whether it is a whole number as it is printed."""
    is_short = text.isdigit() and len(text) <= _MOST_DIGITS
    return is_short and (text[0] != _ZERO or len(text) == 1)


def _is_text(word: bytes) -> bool:
    if word.isascii():
        return True
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True
