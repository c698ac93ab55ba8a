"""What may be trimmed from the streams: what every projection has for good, and nobody needs hot.

Of each partition all entries go that have ids below one *cut*. It lies

- an overlap (`rewind_seconds`) below the lowest checkpoint, the archive's among them: as far back
  as projections read again, and servers that lost their tail may put new entries. The views of
  other packages are waited for only while there is room: they can be filled from the archive;
- the hot window (`hot_seconds`) below the server's clock, for live readers, unless the server uses
  more memory than `hot_bytes`, or than half of what it has.

A server that is nearly full refuses to take more, so there even the overlap shrinks, to some
seconds.

A cut is only ever put below what every projection had committed to stay when it was made, so it may
be applied at any later time, by anybody, twice or not at all.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.entries.answers import TrimCount
from synapse_stream.ports.projections import projections

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synapse_stream.entries.entry import EntryId
    from synapse_stream.log.handshake import ServerReport
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.ports.operations import Operations
    from synapse_stream.settings import Settings

_TIGHT, _SCARCE = 0.5, 0.8  # of the memory that a server may use
_SHORT_OVERLAP_MS = 5_000


class Cut(NamedTuple):
    """Up to where one partition may be trimmed."""

    partition: int
    before_ms: int
    """Entries with lower ids may go; 0 when none may."""
    held_back: Mapping[str, float]
    """Projections that want more kept than windows do → of how many seconds."""


def find_cut(
    partition: int,
    positions: Mapping[str, EntryId | None],
    newest: EntryId,
    now_ms: int,
    *,
    overlap_ms: int,
    hot_ms: int,
) -> Cut:
    """Return what may go.

    Args:
        partition: whose.
        positions: checkpoint of every projection that counts; None for one that never came.
        newest: id of the feed's newest entry, learnt after all the others.
        now_ms: the server's clock, before `newest` was learnt.
        overlap_ms: how far back projections may read again.
        hot_ms: how long entries are kept for readers.
    """
    reached = {name: _reached(at, newest, now_ms) for name, at in positions.items()}
    wanted = now_ms - max(hot_ms, overlap_ms)
    before = max(0, min([wanted, *(ms - overlap_ms for ms in reached.values())]))
    held_back = {
        name: (wanted - (ms - overlap_ms)) / 1000
        for name, ms in reached.items()
        if ms - overlap_ms < wanted
    }
    return Cut(partition, before, held_back)


def _reached(position: EntryId | None, newest: EntryId, now_ms: int) -> int:
    """Return the time up to which a projection has everything.

    An empty feed holds nothing that is unread. A checkpoint above the newest entry is of a feed
    that has lost its tail: what is there now may be unread, until the projection has been there.
    """
    if newest == (0, 0):
        return now_ms
    if position is None or position > newest:
        return 0
    return now_ms if position == newest else position[0]


class Room(Enum):
    """How much memory a server has left."""

    AMPLE = "ample"
    TIGHT = "tight"
    SCARCE = "scarce"
    """It soon refuses to take more."""


def room_of(report: ServerReport, hot_bytes: int) -> Room:
    """Judge by the server's own limit, else by its machine's memory, and by `hot_bytes`."""
    limit = report.max_bytes or report.machine_bytes
    if limit and report.used_bytes > _SCARCE * limit:
        return Room.SCARCE
    tight = min(hot_bytes, limit * _TIGHT) if limit else hot_bytes
    return Room.TIGHT if report.used_bytes > tight else Room.AMPLE


class Trimmer:
    """Trims what may be trimmed. Not thread-safe.

    Every method raises LogUnavailable and SynapseStreamError when server or store do not answer.
    """

    def __init__(self, store: Operations, log: TrimLog, settings: Settings) -> None:
        """Ask `store`, trim `log`; both stay open."""
        self._store = store
        self._log = log
        self._overlap_ms = int(settings.rewind_seconds * 1000)
        self._hot_ms = int(settings.hot_seconds * 1000)
        self._hot_bytes = settings.hot_bytes
        self.is_tight = False
        """True when the last cuts had to give up the hot window for want of memory."""

    def cuts(self, partitions: Iterable[int] | None = None) -> list[Cut]:
        """Return the cuts of some partitions, or of all."""
        # In this order: what comes after the clock was read is newer than every cut, and a
        # checkpoint that equals the newest entry has nothing behind it.
        now_ms = self._log.now_ms()
        room = room_of(self._log.server_report(), self._hot_bytes)
        self.is_tight = room is not Room.AMPLE
        left_out = {*self._log.retired(), *(projections().installed() if self.is_tight else ())}
        counting = [name for name in projections().names() if name not in left_out]
        positions = self._store.leases.durable_positions(counting)
        hot_ms = 0 if self.is_tight else self._hot_ms
        overlap_ms = self._overlap_ms
        if room is Room.SCARCE:
            overlap_ms = min(overlap_ms, _SHORT_OVERLAP_MS)
        chosen = range(self._log.keys.partitions) if partitions is None else partitions
        return [
            find_cut(
                partition,
                {name: positions[name].get(partition) for name in counting},
                self._log.feed_last(partition),
                now_ms,
                overlap_ms=overlap_ms,
                hot_ms=hot_ms,
            )
            for partition in chosen
        ]

    def trim(self, cut: Cut, *, most: int | None = None) -> TrimCount:
        """Trim one partition, in steps that block nobody for long, to the end or after `most`."""
        done = TrimCount(is_done=not cut.before_ms)
        while not done.is_done and (most is None or done.entries < most):
            done = done.plus(self._log.trim(cut.partition, (cut.before_ms, 0)))
        return done

    def count(self, cut: Cut) -> TrimCount:
        """Count what `trim` would remove."""
        if not cut.before_ms:
            return TrimCount()
        return self._log.count_before(cut.partition, (cut.before_ms, 0))
