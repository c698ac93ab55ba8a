"""Marks: what a fold had come to at the end of an entry, for who looks back from there.

A projector leaves one about every EVENTS events, made by the very fold that makes the view and
committed with it. A mark is believed only while the entry it stands at is still there, with the
batch that was folded: a server that lost its tail may have another one at that place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.position import Position


class Mark(NamedTuple):
    """A fold up to the end of a stream entry."""

    entry: tuple[int, int]
    hash: bytes
    """Of the batch there; empty where it is none."""
    time: int
    """Latest time of any event so far, in µs."""
    parked: int
    """How many events could not be folded."""
    document: bytes | None

    def is_before(self, at: Position | int) -> bool:
        """Tell whether a fold up to `at`, a position or a time in µs, can go on from here."""
        return self.time <= at if isinstance(at, int) else self.entry < at[:2]

    def is_at(self, entry: RecordedBatch) -> bool:
        """Tell whether this was made at the end of that very entry."""
        return self.entry == entry[:2] and self.hash == hash_of(entry)


START = Mark((0, 0), b"", 0, 0, None)


def hash_of(entry: RecordedBatch) -> bytes:
    """Return the chain hash of an entry's batch; empty where it is none."""
    return entry.batch.hash if entry.batch else b""
