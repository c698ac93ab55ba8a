"""The spool: what a producer accepted, from the report call until the server surely has it.

One writer's side (`append`, called by any thread), one reader's side (`read`, `acknowledge`: the
shipper) and one housekeeper's side (`tidy`: the keeper). The report call writes to a segment in
shared memory and waits for no disk; backlog and rewind window are moved to disk by the keeper.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from synapse_stream.encoding import encode
from synapse_stream.errors import RunEnded
from synapse_stream.producer.doorbell import Doorbell
from synapse_stream.producer.segment import Chunk, Cursor, Segment
from synapse_stream.producer.shedding import Pressure, Shedding

if TYPE_CHECKING:
    import mmap

    from synapse_stream.producer.shelf import Shelf


class Spool:
    """Accepted events of one producer, in order, numbered from 0."""

    def __init__(
        self, job_id: str, shelf: Shelf, doorbell: Doorbell, crowding: Doorbell | None = None
    ) -> None:
        self.job_id = job_id
        self.next = 0
        """Number of the next event."""
        self.acknowledged = -1
        """Number of the last event that the server has."""
        self.is_sealed = False
        """True when the last event was accepted."""
        self.crowding = crowding or Doorbell()
        """Rung when there is something to `tidy` that should not wait."""
        self._shelf = shelf
        self._doorbell = doorbell
        self._shedding = Shedding()
        self._is_pressed = False
        self._is_ending = self._is_sealing = False
        # Reentrant: a signal handler of the plugin may report while a report is being accepted.
        self._lock = threading.RLock()
        self._cursor = Cursor()
        self._spare: Segment | None = None
        self._tail = self._room = 0  # of the current segment; one byte of its room stays zero
        self._map: mmap.mmap | None = None
        self._switch(shelf.create(shelf.reserve(self.acknowledged)), None)

    def append(self, kind: str, body: bytes) -> bool:
        """Accept one event: number it, stamp it, and make it survive this process.

        Returns:
            False when there was no room for it, and that was counted.

        Raises:
            RunEnded: the spool is sealed.
        """
        with self._lock:
            if self.is_sealed:
                msg = f"job {self.job_id!r} has ended; nothing more can be reported to it"
                raise RunEnded(msg)
            if self._is_pressed and not self._shedding.admits(kind, body):
                return False
            now = time.time_ns() // 1000
            while True:
                number = self.next
                line = b'{"seq":%d,"time":%d,%b\n' % (number, now, body)
                size = len(line)
                start = self._tail
                end = start + size
                if end > self._room:
                    if not self._roll(kind):
                        return False
                elif number == self.next:
                    break  # else a signal handler reported something meanwhile
            # No call stands between these stores, so CPython runs no signal handler there: whatever
            # one raises, an event is accepted whole or not at all.
            self._map[start:end] = line  # type: ignore[index]  # there is a map since `__init__`
            self._tail = end
            self.next = number + 1
            self.is_sealed = self._is_sealing
            if self._doorbell.is_armed:
                self._doorbell.ring()
            return True

    def seal(self, kind: str, body: bytes) -> None:
        """Accept the last event, with the count of all; then `append` raises. Twice is once."""
        with self._lock:
            if self.is_sealed:
                return
            self._is_ending = True  # what follows finds room in any case
            self.report_loss()
            self._is_pressed = False
            self._is_sealing = True
            try:
                self.append(kind, b'"count":%d,%b' % (self.next + 1, body))
            finally:
                self._is_sealing = False  # an interrupted end is no end

    def seal_unused(self) -> bool:
        """Accept nothing from now on, if nothing was accepted; False when something was."""
        with self._lock:
            if self.next == 0:
                self.is_sealed = True
            return self.next == 0

    def report_loss(self) -> None:
        """Record what was shed since the last call as a `loss` event.

        Where there is room again, and at the end, the newest of it is recorded after all.
        """
        with self._lock:
            if self.is_sealed or self._shedding.is_idle:
                return
            for kind, body in self._shedding.take_newest(is_last=self._is_ending).items():
                self._is_pressed = False
                self.append(kind, body)
            counts = self._shedding.take_counts()
            self._is_pressed = not self._shedding.is_idle
            if counts and not self._append_loss(counts):
                for kind, count in counts.items():
                    self._shedding.count(kind, count)

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

    @property
    def has_news(self) -> bool:
        """True when something was accepted that the server does not have."""
        return self.next - 1 > self.acknowledged

    @property
    def needs_care(self) -> bool:
        """True when there may be something to report or to `tidy`."""
        return self._is_pressed or len(self._shelf.segments) > 1 or self.trouble is not None

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
        with self._lock:
            shelf.mark_sent(self.acknowledged, now)
            outlived = shelf.take_outlived(now)
            movable = shelf.movable()
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

    def park(self) -> None:
        """Leave a sealed spool on disk, unlocked, to whoever comes next on this host.

        May wait for the disk, as `tidy`, and is called by the same thread.
        """
        shelf = self._shelf
        shelf.segments[-1].used = self._tail
        if self._spare is not None:
            self._spare.remove()
        mapped = [segment for segment in shelf.segments if segment.is_mapped]
        is_all_on_disk = shelf.cold is not None and all(map(shelf.relocate, mapped))
        if is_all_on_disk and shelf.hot is not None:
            shelf.hot.remove()
        with self._lock:  # unmapped now, not when the collector looks: a process may make many runs
            self._map = self._spare = None
        self.release()

    def remove(self) -> None:
        """Delete everything and give the locks back."""
        for home in self._shelf.homes():
            home.remove()

    def release(self) -> None:
        """Give the locks back without touching a file."""
        for home in self._shelf.homes():
            home.release()

    @property
    def place(self) -> str:
        """Where the events wait, for people."""
        home = self._shelf.cold or self._shelf.hot
        return str(home.path) if home else "the memory of this process"

    @property
    def trouble(self) -> OSError | None:
        """Why the newest segment could not be made or moved; None when it could."""
        return self._shelf.trouble

    def _append_loss(self, counts: dict[str, int]) -> bool:
        fields = {"counts": counts, "first": None, "last": None, "reason": "the spool is full"}
        (body,) = encode("loss", None, fields)
        return self.append("loss", body)

    def _roll(self, kind: str) -> bool:
        """Go on in a fresh segment; False when there is none, and the event is counted as lost."""
        full = self._map
        fresh = self._spare
        if fresh is None:
            try:
                index = self._shelf.reserve(self.acknowledged, is_last=self._is_ending)
                fresh = self._shelf.create(index)
            except OSError as error:
                self._shelf.trouble = error
                if kind != "loss":  # what it says is counted further
                    self._shedding.count(kind)
                self._is_pressed = True
                return False
        if not self._switch(fresh, full):  # a signal handler's report has rolled meanwhile
            self._keep_spare(fresh)
        self._weigh()
        if self._shelf.movable():
            self.crowding.ring()
        return True

    def _switch(self, fresh: Segment, full: mmap.mmap | None) -> bool:
        """Go on in `fresh` if `full` is still what is written to."""
        mapping, segments = fresh.mapping, self._shelf.segments
        if self._map is not full:
            return False
        # No call from here on, as in `append`: all of it happens or nothing.
        if segments:
            segments[-1].used, segments[-1].last = self._tail, self.next - 1
        fresh.first = self.next
        segments += (fresh,)
        self._spare = None
        self._tail, self._room, self._map = 0, fresh.size - 1, mapping
        return True

    def _keep_spare(self, segment: Segment) -> None:
        segments = self._shelf.segments
        if segment is self._spare or segment in segments:
            return
        if self._spare is None and segment.index > segments[-1].index:
            self._spare = segment
        else:
            segment.remove()

    def _weigh(self) -> None:
        self._shedding.pressure = Pressure.of(self._shelf.filled_share(self.acknowledged))
        self._is_pressed = not self._shedding.is_idle
