"""The segments of a spool in their homes: where the next is made, what is moved, what is dropped.

Not thread-safe in itself: the spool holds its lock around every call but `Segment`'s own.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from synapse_stream.producer.spool.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.producer.spool.homes import Home
    from synapse_stream.settings import Settings

FIRST_SEGMENT_BYTES = 64 * 1024  # each is twice as large as the one before it, up to a bound
_LARGEST_SEGMENT_BYTES = 4 * 1024 * 1024
_LEAST_LARGEST_BYTES = 1024 * 1024  # four of the largest events
_PAGE_BYTES = 4096
_LEAST_SHARE_BYTES = 4 * FIRST_SEGMENT_BYTES  # a smaller share of the memory is none
_SHARE = 4  # of what is free for spools, one of them takes a quarter at most
_HANGING_SECONDS = 0.25  # to write one segment takes milliseconds


class Room:
    """The memory behind a directory: small in containers, so half of it is left to others."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def has(self, size: int) -> bool:
        """Tell whether so many bytes more may be taken."""
        return self._free() >= size

    def share(self, held: int) -> int:
        """Return how much a spool may hold that holds `held` bytes."""
        return max(0, self._free() + held) // _SHARE

    def _free(self) -> int:
        """Return how much may be taken; negative when others have taken more than a half."""
        if self._directory is None:
            return 0
        try:
            found = os.statvfs(self._directory)
        except OSError:
            return 0
        return found.f_frsize * (found.f_bavail - found.f_blocks // 2)


class Shelf:
    """Segments, oldest first; the last one is being written."""

    def __init__(self, settings: Settings, *, hot: Home | None, cold: Home | None) -> None:
        self.segments: list[Segment] = []
        self.trouble: OSError | None = None
        """Why the newest segment could not be made or moved, until one could."""
        self._settings = settings
        self.segment_bytes = FIRST_SEGMENT_BYTES
        """Size of the next segment."""
        share = settings.spool_max_bytes // 64
        self._largest = min(_LARGEST_SEGMENT_BYTES, max(_LEAST_LARGEST_BYTES, share))
        self.moving_since: float | None = None
        """When the move to disk began that is now under way."""
        self.move_in(hot, cold)
        self._memory_budget = self._budget(0)
        self._sent_at: dict[int, float] = {}
        self._last_index = -1

    def move_in(self, hot: Home | None, cold: Home | None) -> None:
        """Make segments in these homes from now on."""
        self.hot, self.cold = hot, cold
        self._room = Room(hot.path if hot else None)

    def reserve(self, acknowledged: int, *, is_last: bool = False) -> int:
        """Return the index for one more segment, if the bounds allow it or it `is_last`.

        Where shared memory is merely used up, the next segment does not go to disk: writing to a
        file that is mapped there can wait for the disk. What may not be shed then overdraws the
        budget, once.

        Raises:
            OSError: memory is used up and the disk takes nothing.
        """
        self._memory_budget = self._budget(self._mapped_bytes())
        while self._mapped_bytes() + self._next_size() > self._memory_budget:
            if not self._give_up_oldest_sent(acknowledged):
                break
        if self._mapped_bytes() >= 2 * self._memory_budget and not is_last:
            msg = "the spool's memory is used up and its disk takes nothing"
            raise OSError(msg)
        self._last_index += 1
        return self._last_index

    def create(self, index: int, at_least: int = 0) -> Segment:
        """Make a segment in shared memory, else on disk, else in private memory; needs no lock."""
        needed = -(-at_least // _PAGE_BYTES) * _PAGE_BYTES
        size = max(needed, self._next_size())
        segment = self._create(index, size)
        self.segment_bytes = min(2 * size, self._largest)
        return segment

    def _create(self, index: int, size: int) -> Segment:
        if self.hot is not None and self._room.has(size):
            with contextlib.suppress(OSError):  # full memory is no trouble while the disk is not
                segment = Segment.create(index, self.hot.segment_path(index), size)
                if self._room.has(0):
                    return segment
                segment.remove()  # others were as fast
        if self.cold is not None:
            try:
                return Segment.create(index, self.cold.segment_path(index), size)
            except OSError as error:
                self.trouble = error
        return Segment.create(index, None, size)

    def find(self, number: int) -> Segment:
        """Return the segment of an event, or the next one where that is no longer kept."""
        found = self.segments[-1]
        for segment in reversed(self.segments):
            if segment.last is not None and segment.last < number:
                break
            found = segment
        return found

    def filled_share(self, acknowledged: int) -> float:
        """Return how full the spool is with events that the server does not have; 1 is full."""
        unsent = [s for s in self.segments if s.last is None or s.last > acknowledged]
        kept = sum(s.size for s in unsent)
        share = kept / self._settings.spool_max_bytes
        if not self._is_disk_behind():
            return share
        return max(share, sum(s.size for s in unsent if s.is_mapped) / self._memory_budget)

    def mark_sent(self, acknowledged: int, now: float) -> None:
        """Note since when full segments are acknowledged; their rewind window begins then."""
        for segment in self.segments[:-1]:
            if segment.last is not None and segment.last <= acknowledged:
                self._sent_at.setdefault(segment.index, now)
            else:
                self._sent_at.pop(segment.index, None)  # the server has lost it meanwhile

    def take_outlived(self, now: float) -> list[Segment]:
        """Take the sent segments out that the rewind window does not cover, to be removed."""
        sent = [s for s in self.segments if s.index in self._sent_at]
        kept = sum(s.size for s in sent)
        outlived = []
        for segment in sent:
            age = now - self._sent_at[segment.index]
            if kept <= self._settings.rewind_bytes and age < self._settings.rewind_seconds:
                break
            kept -= segment.size
            outlived.append(segment)
        for segment in outlived:
            self.forget(segment)
        return outlived

    def movable(self, *, is_idle: bool = False) -> list[Segment]:
        """Return the oldest full segments in memory, as many as exceed a quarter of its budget.

        The rest of it is for bursts that come faster than they are moved; who is idle has none.
        """
        mapped = [s for s in self.segments[:-1] if s.is_mapped] if self.cold else []
        kept = 0 if is_idle else self._memory_budget // 4
        excess = sum(segment.size for segment in mapped) - kept
        movable = []
        for segment in mapped:
            if excess > 0 or segment.path is None:  # what ends with the process goes in any case
                movable.append(segment)
                excess -= segment.size
        return movable

    def relocate(self, segment: Segment) -> bool:
        """Move a full segment to disk; False when there is none or it takes nothing now.

        May wait for the disk; the only method that needs no lock beside `create`.
        """
        if self.cold is None:
            return False
        self.moving_since = time.monotonic()
        try:
            segment.relocate(self.cold.segment_path(segment.index))
        except OSError as error:
            self.trouble = error
            return False
        finally:
            self.moving_since = None
        self.trouble = None
        return True

    def homes(self) -> Iterator[Home]:
        """Yield the homes that there are, hot before cold."""
        return (home for home in (self.hot, self.cold) if home is not None)

    def _give_up_oldest_sent(self, acknowledged: int) -> bool:
        """Drop the oldest of the rewind window from memory to make room."""
        # Not by `_sent_at`: the keeper, who fills it, may be waiting for a disk that hangs.
        for segment in self.segments[:-1]:
            if segment.is_mapped and segment.last is not None and segment.last <= acknowledged:
                self.forget(segment)
                with contextlib.suppress(OSError):
                    segment.remove()
                return True
        return False

    def forget(self, segment: Segment) -> None:
        """Keep a segment no longer; one that is being written to stays."""
        if segment in self.segments[:-1]:
            self.segments.remove(segment)
            self._sent_at.pop(segment.index, None)

    def _next_size(self) -> int:
        return min(self.segment_bytes, max(FIRST_SEGMENT_BYTES, self._memory_budget // 4))

    def _mapped_bytes(self) -> int:
        return sum(segment.size for segment in self.segments if segment.is_mapped)

    def _budget(self, held: int) -> int:
        """Return how much may be mapped: of shared memory a share, of other memory the setting."""
        most = self._settings.spool_memory_bytes
        share = self._room.share(held) if self.hot is not None else 0
        return min(most, share) if share >= _LEAST_SHARE_BYTES else max(most, 4 * self._largest)

    def _is_disk_behind(self) -> bool:
        """Tell whether memory fills up because the disk refuses, hangs or is not there."""
        if self.cold is None or self.trouble is not None:
            return True
        since = self.moving_since
        return since is not None and time.monotonic() - since > _HANGING_SECONDS
