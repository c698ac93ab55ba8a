"""What the log answers to a producer; without redis, which a producer needs later than this."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


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
    entry: tuple[int, int] | None
    """Id of the entry just appended."""
