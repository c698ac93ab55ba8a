"""Entries of streams, as redis-py gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream.entries.answers import Ack
from synapse_stream.entries.batch import GENESIS, RawEntry
from synapse_stream.entries.entry import FeedPointer
from synapse_stream.entries.keys import is_kept
from synapse_stream.entries.limits import cut_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_stream.entries.answers import Outcome
    from synapse_stream.entries.entry import EntryId
    from synapse_stream.entries.keys import Keys

_MOST_DIGITS = 15
_SHOWN, _MOST_SHOWN = 300, 8
_HASH_BYTES = len(GENESIS)
_MOST_NUMBER_DIGITS = 16


def entry_id(entry: bytes) -> EntryId:
    """Read the id of a stream entry."""
    ms, _, seq = entry.partition(b"-")
    return int(ms), int(seq)


def raw_entries(entries: list[Any]) -> list[RawEntry]:
    """Return entries of a job's stream; of those that are too large the beginnings."""
    return [RawEntry(*entry_id(entry), cut_fields(fields)) for entry, fields in entries]


def feed_pointers(keys: Keys, partition: int, entries: list[Any]) -> list[FeedPointer]:
    """Return a feed's entries, as redis-py gives them, as pointers."""
    return [_feed_pointer(keys, partition, entry_id(entry), fields) for entry, fields in entries]


def _feed_pointer(
    keys: Keys, partition: int, entry: EntryId, fields: Mapping[bytes, bytes]
) -> FeedPointer:
    """Judge a pointer: a feed speaks only of jobs of its own partition."""
    try:
        job_id = fields[b"j"].decode()
    except (KeyError, ValueError):
        return _refused(entry, fields, "an entry of the feed that is no pointer")
    if not is_kept(job_id):
        return _refused(entry, fields, "a pointer to a job whose id is not allowed")
    if keys.partition(job_id) != partition:
        reason = f"a pointer to job {job_id!r}, which is of partition {keys.partition(job_id)}"
        return _refused(entry, fields, reason)
    return FeedPointer(entry, job_id, _count(fields.get(b"n", b"")))


def _count(text: bytes) -> int:
    is_number = text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else 1


def _refused(entry: EntryId, fields: Mapping[bytes, bytes], reason: str) -> FeedPointer:
    some = {name[:_SHOWN]: value[:_SHOWN] for name, value in list(fields.items())[:_MOST_SHOWN]}
    return FeedPointer(entry, "", 0, reason, repr(some).encode())


def ack_of(outcome: Outcome, state: bytes | None) -> Ack:
    """Read what the server has of a producer, as the append script keeps it."""
    number = state[_HASH_BYTES:] if state else b""
    if state is None or not number.isdigit() or len(number) > _MOST_NUMBER_DIGITS:
        return Ack(outcome, -1, GENESIS, None)  # what is no work of ours the script takes so, too
    return Ack(outcome, int(number), state[:_HASH_BYTES], None)
