"""The spool: what a producer accepted, from the report call until the server surely has it.

One writer's side (`append`, called by any thread), one reader's side (`read`, `acknowledge`: the
shipper) and one housekeeper's side (`tidy`: the keeper). The report call writes to a segment in
shared memory and waits for no disk; backlog and rewind window are moved to disk by the keeper.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from synapse_stream.producer.spool.doorbell import Doorbell
from synapse_stream.producer.spool.homes import Homes
from synapse_stream.producer.spool.quota import Quota
from synapse_stream.producer.spool.roots import is_folder
from synapse_stream.producer.spool.segment import Chunk, Cursor
from synapse_stream.producer.spool.shelf import FIRST_SEGMENT_BYTES
from synapse_stream.producer.spool.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.producer.spool.homes import Home
    from synapse_stream.producer.spool.shelf import Shelf

_IDLE_SECONDS = 5.0


class Spool(Writer):
    """Accepted events of one producer, in order, numbered from 0."""

    def __init__(
        self,
        job_id: str,
        shelf: Shelf,
        doorbell: Doorbell,
        crowding: Doorbell | None = None,
        quota: Quota | None = None,
    ) -> None:
        self._cursor = Cursor()
        self._seen, self._seen_at = -1, 0.0
        super().__init__(job_id, shelf, quota or Quota(0), doorbell, crowding or Doorbell())

    def read(self, number: int, max_bytes: int) -> Chunk | None:
        """Return whole lines from `number` on, at most `max_bytes` of them; None if there are none.

        The chunk begins later than `number` where the events before it are no longer kept.

        Raises:
            OSError: a file that is there cannot be read.
        """
        while True:
            with self._lock:
                if number >= self.next:
                    return None
                segment = self._shelf.find(number)
                used = segment.used if segment.last is not None else self._tail
            try:
                chunk = self._cursor.read(segment, number, used, max_bytes)
            except (FileNotFoundError, ValueError):
                chunk = None  # somebody deleted or cut the file
            if chunk is not None and chunk.data:
                return chunk
            with self._lock:
                self._shelf.forget(segment)

    def acknowledge(self, number: int) -> None:
        """Note that the server has everything up to `number`."""
        self.acknowledged = number
        if self._is_pressed:
            with self._lock:
                self._weigh()
        if self._reserve is not None and self._reserve.is_used:
            with self._lock:
                self._say_what_may_end()

    @property
    def has_news(self) -> bool:
        """True when something was accepted that the server does not have."""
        return self.next - 1 > self.acknowledged

    @property
    def needs_care(self) -> bool:
        """True when there may be something to report or to `tidy`."""
        return self._is_pressed or self.trouble is not None or not self._is_small

    @property
    def _is_small(self) -> bool:
        segments = self._shelf.segments
        is_first = len(segments) == 1 and segments[0].size <= FIRST_SEGMENT_BYTES
        return is_first and segments[0].path is not None and self._spare is None

    def prepare(self) -> None:
        """Make the next segment ahead of need, when the current one is half full."""
        if self._spare is not None or self.is_sealed or self._tail < self._room // 2:
            return
        try:
            with self._lock:
                index = self._shelf.reserve(self.acknowledged)
            spare = self._shelf.create(index)  # takes milliseconds: without the lock
        except OSError as error:
            self._shelf.trouble = error
            return
        with self._lock:
            self._keep_spare(spare)  # a report call may have been faster

    def tidy(self, now: float) -> None:
        """Drop what the rewind window no longer covers, and move backlog from memory to disk.

        May wait for the disk; nobody waits for it.
        """
        shelf = self._shelf
        if self.next != self._seen:
            self._seen, self._seen_at = self.next, now
        is_idle = now - self._seen_at >= _IDLE_SECONDS
        if is_idle or shelf.segments[-1].path is None:
            self._give_back()
        with self._lock:
            shelf.mark_sent(self.acknowledged, now)
            outlived = shelf.take_outlived(now)
            movable = shelf.movable(is_idle=is_idle)
        for segment in outlived:
            segment.remove()
        for segment in movable:
            if not shelf.relocate(segment):
                break
            with self._lock:
                is_kept = segment in shelf.segments
                self._weigh()
            if not is_kept:  # given up while it was being moved
                segment.remove()
        with self._lock:
            self._say_what_may_end()

    def move_in(self, homes: Homes) -> None:
        """Go on in homes that could not be made before; `tidy` brings there what waits."""
        with self._lock:
            self._shelf.move_in(homes.hot, homes.cold)
            self._take_reserve()

    def park(self) -> None:
        """Leave a sealed spool on disk, unlocked, to whoever comes next on this host.

        May wait for the disk, as `tidy`, and is called by the same thread.
        """
        shelf = self._shelf
        shelf.segments[-1].used, shelf.segments[-1].last = self._tail, self.next - 1
        if self._spare is not None:
            self._spare.remove()
        mapped = [segment for segment in shelf.segments if segment.is_mapped]
        is_all_on_disk = shelf.cold is not None and all(map(shelf.relocate, mapped))
        self._leave_word()
        if is_all_on_disk and shelf.cold is not None and shelf.hot is not None:
            shelf.cold.keep_alone()
            shelf.hot.remove()
        with self._lock:  # unmapped now, not when the collector looks: a process may make many runs
            self._map = self._spare = self._reserve = None
        self.release()

    @property
    def mortal(self) -> int:
        """How many events the server does not have that are in the memory of this process only."""
        count = 0
        with self._lock:
            for segment in self._shelf.segments:
                if segment.path is None:
                    last = self.next - 1 if segment.last is None else segment.last
                    count += max(0, last - max(self.acknowledged, segment.first - 1))
        return count

    def homes(self) -> Iterator[Home]:
        """Yield the homes that there are, hot before cold."""
        return self._shelf.homes()

    def remove(self) -> None:
        """Delete everything and give the locks back."""
        Homes(self._shelf.hot, self._shelf.cold).remove()

    def release(self) -> None:
        """Give the locks back without touching a file."""
        for home in self._shelf.homes():
            home.release()

    @property
    def place(self) -> str:
        """Where the events wait, for people."""
        if self.home is None:
            return "the memory of this process, with which they end,"
        if self._shelf.segments[-1].path is None:
            return f"{self.home}, the newest in the memory of this process, with which they end,"
        return str(self.home)

    @property
    def home(self) -> Path | None:
        """Directory that the spool has on disk, else, or if that is gone, in shared memory."""
        homes = [home.path for home in self._shelf.homes()][::-1]
        return next(filter(is_folder, homes), homes[0] if homes else None)

    @property
    def trouble(self) -> OSError | None:
        """Why the newest segment could not be made or moved; None when it could."""
        return self._shelf.trouble

    def _give_back(self) -> None:
        """Go on in a small segment: who reports nothing needs none that is larger."""
        shelf, full = self._shelf, self._map
        with self._lock:
            spare, self._spare = self._spare, None
            current = shelf.segments[-1]
        if spare is not None:
            spare.remove()
        is_fine = current.size <= FIRST_SEGMENT_BYTES and current.path is not None
        if is_fine or self.is_sealed or next(shelf.homes(), None) is None:
            return
        shelf.segment_bytes = FIRST_SEGMENT_BYTES
        with contextlib.suppress(OSError):
            with self._lock:
                index = shelf.reserve(self.acknowledged)
            fresh = shelf.create(index)
            with self._lock:
                if fresh.path is None or not self._switch(fresh, full):
                    fresh.remove()

    def _leave_word(self) -> None:
        """Leave the reserve to whoever comes next only if something is missing."""
        if self._reserve is None:
            return
        number = self._first_mortal() if self.mortal else None
        if number is None:
            self._reserve.withdraw()
        else:
            is_end_missing = self._shelf.segments[-1].path is None
            self._reserve.write(number, self._end if is_end_missing else None)
