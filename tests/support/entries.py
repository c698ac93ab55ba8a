"""Entries of streams, as the append script, a fault or a foreign hand would write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream.entries.batch import RawEntry, encode_fields, unpack

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch

FIRST_MS = 1_763_880_000_000


def as_received(batch: Batch) -> dict[bytes, bytes]:
    """Return a batch as the fields that redis-py gives back."""
    return {name.encode(): _bytes(value) for name, value in encode_fields(batch).items()}


def entry(place: int | tuple[int, int], batch: Batch) -> RawEntry:
    """Return a batch at a place: milliseconds after FIRST_MS, or a whole entry id."""
    ms, seq = place if isinstance(place, tuple) else (FIRST_MS + place, 0)
    return RawEntry(ms, seq, as_received(batch))


def stray(place: int, **fields: bytes) -> RawEntry:
    """Return an entry that is no batch."""
    named = {name.encode(): value for name, value in (fields or {"p": b"\xff"}).items()}
    return RawEntry(FIRST_MS + place, 0, named)


def unpacked(job_id: str, found: RawEntry) -> tuple[Any, ...]:
    """Return an entry with its lines uncompressed, and its fields in their order."""
    ms, seq, fields = unpack(job_id, found)
    return ms, seq, list(fields.items())


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
