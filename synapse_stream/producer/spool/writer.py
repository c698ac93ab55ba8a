"""The way into a spool: number an event, stamp it, copy it to a segment; shed what is too much.

The report call runs through here: it takes one lock, and makes no system call but when a segment is
full and none was made ahead.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from synapse_stream.errors import RunEnded
from synapse_stream.events.encoding import TIME_BITS, encode, representable
from synapse_stream.producer.spool.reserve import Reserve, shortened
from synapse_stream.producer.spool.shedding import Cause, Pressure, Shedding

if TYPE_CHECKING:
    import mmap

    from synapse_stream.producer.spool.doorbell import Doorbell
    from synapse_stream.producer.spool.quota import Quota
    from synapse_stream.producer.spool.segment import Segment
    from synapse_stream.producer.spool.shelf import Shelf


class Writer:
    """Accepted events of one producer, in order, numbered from 0: how they get in."""

    def __init__(
        self, job_id: str, shelf: Shelf, quota: Quota, news: Doorbell, crowding: Doorbell
    ) -> None:
        self.job_id = job_id
        self.next = 0
        """Number of the next event."""
        self.acknowledged = -1
        """Number of the last event that the server has."""
        self.is_sealed = False
        """True when the last event was accepted."""
        self.crowding = crowding
        """Rung when there is something to tidy that should not wait."""
        self.quota = quota
        """How much of it was used when it was looked at last, which is seldom."""
        self._shelf = shelf
        self._doorbell = news
        self._shedding = Shedding()
        self._is_pressed = False
        self._is_ending = self._is_sealing = False
        self._end: bytes | None = None
        # Reentrant: a signal handler of the plugin may report while a report is being accepted.
        self._lock = threading.RLock()
        self._spare: Segment | None = None
        self._tail = self._room = 0  # of the current segment; one byte of its room stays zero
        self._filled = 0  # bytes in all segments before it, kept or not
        self._map: mmap.mmap | None = None
        self._switch(shelf.create(shelf.reserve(self.acknowledged)), None)
        self._reserve: Reserve | None = None
        self._take_reserve()

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
            now = representable(now) if now >> TIME_BITS else now  # a clock gone wrong
            while True:
                number = self.next
                line = b'{"seq":%d,"time":%d,%b\n' % (number, now, body)
                size = len(line)
                start = self._tail
                end = start + size
                if end > self._room:
                    if not self._roll(kind, size):
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
            self._end = body
            self.report_loss()
            self._is_pressed = False
            self._is_sealing = True
            try:
                for last in (body, shortened(body)):
                    if self.append(kind, b'"count":%d,%b' % (self.next + 1, last)):
                        break
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
            if self.is_sealed:
                return
            self._weigh()
            if self._shedding.is_idle:
                return
            for kind, body in self._shedding.take_newest(is_last=self._is_ending):
                self._is_pressed = False
                self.append(kind, body)
            losses = self._shedding.take_counts()
            self._is_pressed = not self._shedding.is_idle
            for cause, counts in losses.items():
                if not self._append_loss(cause, counts):
                    for kind, count in counts.items():
                        self._shedding.count(kind, count, cause)

    def _take_reserve(self) -> None:
        home = next(self._shelf.homes(), None)
        self._reserve = Reserve.create(home) if home else None
        self._say_what_may_end()

    def _say_what_may_end(self) -> None:
        """Let the reserve say which events end with this process, if it is killed now."""
        if self._reserve is None:
            return
        number = self._first_mortal()
        if number is None:
            self._reserve.clear()
        else:
            self._reserve.write(number)

    def _first_mortal(self) -> int | None:
        """Return the number that the first event in the memory of the process has, or will have.

        Of those only that the server does not have.
        """
        for segment in self._shelf.segments:
            is_sent = segment.last is not None and segment.last <= self.acknowledged
            if segment.path is None and not is_sent:
                return max(segment.first, self.acknowledged + 1)
        return None

    def _append_loss(self, cause: Cause, counts: dict[str, int]) -> bool:
        fields = {"counts": counts, "first": None, "last": None, "reason": str(cause)}
        (body,) = encode("loss", None, fields)
        return self.append("loss", body)

    def _roll(self, kind: str, size: int) -> bool:
        """Go on in a fresh segment; False when there is none, and the event is counted as lost."""
        full = self._map
        fresh = self._spare
        if fresh is None or fresh.size <= size:
            try:
                fresh = self._make(size + 1)
            except OSError as error:
                self._shelf.trouble = error
                if kind != "loss":  # what it says is counted further
                    self._shedding.count(kind)
                self._is_pressed = True
                return False
        if not self._switch(fresh, full):  # a signal handler's report has rolled meanwhile
            self._keep_spare(fresh)
        elif fresh.path is None:
            self._say_what_may_end()
        self._weigh()
        if self._shelf.movable():
            self.crowding.ring()
        return True

    def _make(self, at_least: int) -> Segment:
        index = self._shelf.reserve(self.acknowledged, is_last=self._is_ending)
        try:
            return self._shelf.create(index, at_least)
        except OSError:
            reserve = self._reserve.take(index) if self._reserve and self._is_ending else None
            if reserve is None:
                raise
            return reserve

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
        unused, self._spare = self._spare, None
        self._filled += self._tail
        self._tail, self._room, self._map = 0, fresh.size - 1, mapping
        if unused is not None and unused is not fresh:
            unused.remove()  # too small
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
        self.quota.weigh(self._filled + self._tail, time.monotonic())
        room = Pressure.of(self._shelf.filled_share(self.acknowledged))
        self._shedding.press(room, Pressure.of_quota(self.quota.used))
        self._is_pressed = not self._shedding.is_idle
