"""Batches of several jobs as one body: of each a line of JSON that says whose it is, and its bytes.

The line is as in `{"job":"j","producer":"p1","first":0,"last":9,"hash":"…","salts":"…",
"coding":"zstd","size":812}`, and behind its newline come so many bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.entries.batch import encode_fields
from synapse_stream.entries.limits import LARGEST_DATA_BYTES, LARGEST_SALTS_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from synapse_stream.entries.batch import Batch

PACKED = "application/vnd.synapse-stream.batches"
MOST_BATCHES = 100

_MOST_BYTES = LARGEST_DATA_BYTES * 3 // 4
_LONGEST_HEAD = 4_096 + 2 * LARGEST_SALTS_BYTES
_KINDS = {"identity": b"d", "zstd": b"z"}


class Packed(NamedTuple):
    """A batch as it travels."""

    job_id: str
    fields: Mapping[bytes, bytes]
    """As those of an entry; they are judged by who takes them."""


def pack(batches: Sequence[Batch]) -> Iterator[tuple[int, bytes]]:
    """Yield bodies, each with how many of the batches it has; their order stays."""
    parts: list[bytes] = []
    size = count = 0
    for batch in batches:
        part = _packed(batch)
        if count and (size + len(part) > _MOST_BYTES or count == MOST_BATCHES):
            yield count, b"".join(parts)
            parts, size, count = [], 0, 0
        parts.append(part)
        size, count = size + len(part), count + 1
    if count:
        yield count, b"".join(parts)


def unpack(body: bytes) -> list[Packed]:
    """Return the batches of a body.

    Raises:
        ValueError: it is not as `pack` makes one, or has too many.
    """
    found: list[Packed] = []
    at = 0
    while at < len(body):
        end = body.find(b"\n", at, at + _LONGEST_HEAD)
        head = _head(body[at:end]) if end >= 0 else None
        if head is None or end + 1 + head["size"] > len(body):
            msg = f"behind byte {at} there is no batch, or only a part of one"
            raise ValueError(msg)
        if len(found) == MOST_BATCHES:
            msg = f"there are more than {MOST_BATCHES} batches"
            raise ValueError(msg)
        at = end + 1 + head["size"]
        data = {_KINDS[head["coding"]]: body[end + 1 : at]}
        found.append(Packed(head["job"], {**_fields(head), **data}))
    return found


def _packed(batch: Batch) -> bytes:
    fields = encode_fields(batch)
    coding, data = ("zstd", fields["z"]) if "z" in fields else ("identity", fields["d"])
    head = {
        "job": batch.job_id,
        "producer": batch.producer,
        "first": batch.first,
        "last": batch.last,
        "hash": batch.hash.hex(),
        "salts": batch.salts.hex(),
        "coding": coding,
        "size": len(data),
    }
    return b"%b\n%b" % (orjson.dumps(head), data)


def _fields(head: dict[str, Any]) -> dict[bytes, bytes]:
    numbers = {b"n": b"%d" % head["first"], b"m": b"%d" % head["last"]}
    proof = {b"h": bytes.fromhex(head["hash"]), b"s": bytes.fromhex(head["salts"])}
    return {b"p": head["producer"].encode(), **numbers, **proof}


def _head(line: bytes) -> dict[str, Any] | None:
    try:
        head: dict[str, Any] = orjson.loads(line)
        texts = all(isinstance(head[name], str) for name in ("job", "producer", "hash", "salts"))
        numbers = [head[name] for name in ("first", "last", "size")]
        is_so = texts and all(type(one) is int and one >= 0 for one in numbers)
        return head if is_so and head["coding"] in _KINDS and _fields(head) else None
    except (KeyError, TypeError, ValueError):
        return None
