"""Lag: how far projections are behind what has been reported."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_stream.ports.projections import projections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.ports.operations import Checkpoint, Operations

LATE_SECONDS = 60.0
"""A projection that has not taken in for so long what there is counts as standing still."""

_PAGE = 1_000
_MOST_PAGES = 10


@dataclass(slots=True)
class Lag:
    """How far one partition of one projection is behind."""

    projection: str
    partition: int
    owner: str | None
    """None when no consumer holds its lease."""
    events: int = 0
    is_exact: bool = True
    """False when there are more events than were counted."""
    seconds: float = 0.0
    """Age of the oldest event that is not in the view, by the server's clock."""
    has_gap: bool = False
    """True when what follows its checkpoint was trimmed: its database is an older copy, or new."""


def measure(store: Operations, log: FeedLog) -> Iterator[Lag]:
    """Yield the lag of every partition of every projection.

    Where very much waits, not all of it is counted.

    Raises:
        LogUnavailable: the server did not answer.
        SynapseStreamError: the store could not be read.
    """
    for projection in projections().names():
        yield from measure_one(store, log, projection)


def measure_one(store: Operations, log: FeedLog, projection: str) -> Sequence[Lag]:
    """Return the lag of every partition of one projection, by their numbers; see `measure`."""
    partitions = range(log.keys.partitions)
    known: dict[int, Checkpoint] = {c.partition: c for c in store.leases.checkpoints(projection)}
    lags = [
        Lag(projection, partition, known[partition].owner if partition in known else None)
        for partition in partitions
    ]
    behind = {
        partition: known[partition].position if partition in known else (0, 0)
        for partition in partitions
    }
    if projection not in log.retired():
        for partition, trimmed in log.trims().items():
            lags[partition].has_gap = behind[partition] < trimmed
    now_ms = log.now_ms()
    for _ in range(_MOST_PAGES):
        found = log.wait_feeds(behind, limit=_PAGE, block_ms=1) if behind else {}
        for partition, pointers in found.items():
            waiting = lags[partition]
            if not waiting.events:
                oldest_ms, _ = pointers[0].entry
                waiting.seconds = max(0, now_ms - oldest_ms) / 1000
            waiting.events += sum(pointer.count for pointer in pointers)
        behind = {
            partition: pointers[-1].entry
            for partition, pointers in found.items()
            if len(pointers) == _PAGE
        }
    for partition in behind:
        lags[partition].is_exact = False
    return lags


def late(lags: Iterable[Lag]) -> dict[str, float]:
    """Return by projection that is late by how many seconds its latest partition is."""
    found: dict[str, float] = {}
    for lag in lags:
        if lag.seconds > LATE_SECONDS:
            found[lag.projection] = max(lag.seconds, found.get(lag.projection, 0.0))
    return found


def gaps(lags: Iterable[Lag]) -> dict[str, int]:
    """Return by projection how many of its partitions cannot be read on."""
    return dict(Counter(lag.projection for lag in lags if lag.has_gap))


def unowned(lags: Iterable[Lag]) -> dict[str, int]:
    """Return by projection how many of its partitions no consumer projects."""
    return dict(Counter(lag.projection for lag in lags if lag.owner is None))
