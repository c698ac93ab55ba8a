"""Entries of streams, as redis-py gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.batch import RawEntry

if TYPE_CHECKING:
    from collections.abc import Mapping


class FeedPointer(NamedTuple):
    """One entry of a partition's feed: the job's stream has got an entry with this very id."""

    entry: tuple[int, int]
    job_id: str
    """Empty if the entry is another program's: then it points to nothing."""
    count: int  # type: ignore[assignment]  # hides tuple.count
    """How many events that entry holds."""


def entry_id(entry: bytes) -> tuple[int, int]:
    """Read the id of a stream entry."""
    ms, _, seq = entry.partition(b"-")
    return int(ms), int(seq)


def raw_entries(entries: list[Any]) -> list[RawEntry]:
    """Return entries of a job's stream."""
    return [RawEntry(*entry_id(entry), fields) for entry, fields in entries]


def feed_pointers(entries: list[Any]) -> list[FeedPointer]:
    """Return a feed's entries, as redis-py gives them, as pointers."""
    return [_feed_pointer(entry_id(entry), fields) for entry, fields in entries]


def _feed_pointer(entry: tuple[int, int], fields: Mapping[bytes, bytes]) -> FeedPointer:
    try:
        return FeedPointer(entry, fields[b"j"].decode(), int(fields[b"n"]))
    except (KeyError, ValueError):
        return FeedPointer(entry, "", 0)
