"""What the log answers; without redis, which a producer needs later than this."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from synapse_stream.entries.entry import EntryId


class Outcome(StrEnum):
    """What became of an append."""

    APPENDED = "appended"
    KNOWN = "known"
    """The server has events of this batch already; go on after `Ack.last`."""
    GAP = "gap"
    """The server lacks events before this batch; go back to after `Ack.last`."""


class Ack(NamedTuple):
    """What the server has of a producer."""

    outcome: Outcome
    last: int
    """The producer's last number there, -1 if none."""
    hash: bytes
    """The chain hash there, GENESIS if none."""
    entry: EntryId | None
    """Id of the entry just appended."""


class TrimCount(NamedTuple):
    """What was removed, or would be."""

    entries: int = 0
    events: int = 0
    dropped: int = 0
    """Streams of which nothing is left."""
    is_done: bool = True
    """False when there is more."""

    def plus(self, more: TrimCount) -> TrimCount:
        """Add what was removed next."""
        return TrimCount(
            self.entries + more.entries,
            self.events + more.events,
            self.dropped + more.dropped,
            more.is_done,
        )


class Written(NamedTuple):
    """A batch that a stream has, without its lines."""

    first: int
    last: int
    hash: bytes
    is_last_word: bool
    """True when it ends with an event behind which its producer says no more."""
