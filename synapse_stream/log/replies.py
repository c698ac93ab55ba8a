"""Entries of streams, as redis-py gives them."""

from __future__ import annotations

from typing import Any

from synapse_stream.batch import RawEntry


def entry_id(entry: bytes) -> tuple[int, int]:
    """Read the id of a stream entry."""
    ms, _, seq = entry.partition(b"-")
    return int(ms), int(seq)


def raw_entries(entries: list[Any]) -> list[RawEntry]:
    """Return entries of a job's stream."""
    return [RawEntry(*entry_id(entry), fields) for entry, fields in entries]
