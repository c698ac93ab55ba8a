"""One watched job at the clients' end: its newest frames, and whoever waits for more.

All clients share the frames. A client only remembers which frame comes next for it; one that is so
slow that the frame has gone reads the stream itself. So memory does not grow with slow clients, and
publishing costs the same for one client and for a thousand.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from consumers.api.live import frames
from consumers.api.live.bell import Bell
from consumers.api.live.views import ShownViews

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumers.api.live.frames import Frame
    from consumers.api.live.tracker import Snapshot, Tracker
    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import ViewState

_KEPT_BYTES = 2 * 1024 * 1024
_CHUNK_BYTES = 128 * 1024
"""What is written to a client at once, roughly: that much of it waits in memory for a slow one."""

LOST_TAIL = "the server lost the end of this stream; what follows replaces what was seen"


class Chunk(NamedTuple):
    """Some frames for one client."""

    parts: list[bytes]
    following: int
    """Number of the frame that comes next."""
    last: Position
    """Of the last event in them."""
    met_at: Position | None
    """As `take` got it, while frames may still hold something that is not behind it."""


class Channel:
    """Frames of one job, numbered from 0. Belongs to the event loop."""

    def __init__(self, tracker: Tracker, snapshot: Snapshot) -> None:
        self.job_id = tracker.job_id
        self.tracker = tracker
        """For the reading thread only."""
        self.snapshot = snapshot
        self.joined_at = 0
        """Number of the frame behind the snapshot."""
        self.shown = 0
        """How many snapshots there were before this one."""
        self.resets = 0
        self.beats = 0
        """How many times clients were to hear that the stream is open."""
        self.pulse = frames.KEEP_ALIVE
        """The newest of them."""
        self.clients = 0
        self.idle_since = self.changed_at = time.monotonic()
        self.is_closed = False
        self.views = ShownViews()
        self._frames: deque[Frame] = deque()
        self._first = 0
        self._size = 0
        self._joinable = 0
        self._start = snapshot.position
        """Of the last event before the frame `_joinable`."""
        self._first_frames: dict[bool, bytes] = {}
        self._state_frames: dict[bool, bytes] = {}
        self._bell = Bell()

    @property
    def following(self) -> int:
        """Number of the next frame to come."""
        return self._first + len(self._frames)

    @property
    def newest(self) -> Position:
        """The last event that was published."""
        return self._frames[-1].last if self._frames else self._start

    def first(self, *, for_developers: bool) -> bytes:
        """Return what a client gets that has nothing yet; `joined_at` goes on behind it."""
        if for_developers not in self._first_frames:
            shown = self._shown(for_developers=for_developers)
            self._first_frames[for_developers] = frames.snapshot(self.snapshot.position, shown)
        return self._first_frames[for_developers]

    def state(self, *, for_developers: bool) -> bytes:
        """Return the run state for clients that have another one."""
        if for_developers not in self._state_frames:
            shown = self._shown(for_developers=for_developers)
            self._state_frames[for_developers] = frames.state(shown)
        return self._state_frames[for_developers]

    def publish(self, fresh: Sequence[Frame], snapshot: Snapshot | None) -> None:
        """Have clients get frames, and then a new run state, folded up to the last of them."""
        self.changed_at = time.monotonic()
        for frame in fresh:
            self._frames.append(frame)
            self._size += len(frame.data)
        while self._size > _KEPT_BYTES and len(self._frames) > 1:
            self._drop_oldest()
        if snapshot is not None:
            self.snapshot = snapshot
            self.joined_at = self.following
            self.shown += 1
            self._first_frames.clear()
            self._state_frames.clear()
        self._bell.ring()

    def restart(self, snapshot: Snapshot) -> None:
        """Have clients forget what they have: the stream is another one before `snapshot`."""
        self.resets += 1
        self._joinable = self.following + 1
        self._start = snapshot.position
        frame = frames.restart(LOST_TAIL, snapshot.position, snapshot.json, snapshot.seen)
        self.publish([frame], snapshot)

    def show_view(self, found: ViewState) -> None:
        """Have clients that follow this view of another package get it, if it is new."""
        if self.views.take(found):
            self._bell.ring()

    def enter(self) -> None:
        """Count one client more."""
        self.clients += 1

    def leave(self) -> None:
        """Count one client less."""
        self.clients -= 1
        self.idle_since = time.monotonic()

    def begin(self) -> bytes:
        """Return what a client gets first of all, whatever it has."""
        return frames.RETRY if self.pulse == frames.KEEP_ALIVE else frames.RETRY + self.pulse

    def beat(self, pulse: bytes) -> None:
        """Have clients get a keep-alive; if it tells something, those that come later, too."""
        self.pulse = pulse
        self.beats += 1
        self._bell.ring()

    def close(self) -> None:
        """End the streams of all clients."""
        self.is_closed = True
        self._bell.ring()

    async def wait(self) -> None:
        """Return at the next change."""
        await self._bell.wait()

    def has(self, position: Position) -> bool:
        """Tell whether `position` is known to be the last event of an entry of the stream."""
        if position in {self._start, self.snapshot.position}:
            return True
        return any(frame.is_last_of_entry(position) for frame in self._joinable_frames())

    def find(self, position: Position) -> int | None:
        """Return the number of the frame that goes on behind `position`; None if it has gone."""
        if position < self._start:
            return None
        return self._joinable + sum(frame.last <= position for frame in self._joinable_frames())

    def take(self, number: int, met_at: Position | None, *, for_developers: bool) -> Chunk | None:
        """Return frames from `number` on, not many bytes at once; None if that one has gone.

        Args:
            number: of the first frame.
            met_at: position up to which the client has read the stream itself.
            for_developers: with all events.
        """
        index = number - self._first
        if index < 0:
            return None
        parts, size, last = [], 0, self.newest
        while index < len(self._frames) and size < _CHUNK_BYTES:
            frame = self._frames[index]
            if frame.begins_anew:
                met_at = None
            parts.append(frame.after(met_at, for_developers=for_developers))
            size += len(parts[-1])
            last = frame.last
            if met_at is not None and last > met_at:
                met_at = None
            index += 1
        return Chunk(parts, self._first + index, last, met_at)

    def _shown(self, *, for_developers: bool) -> bytes:
        whole, seen = self.snapshot.json, self.snapshot.seen
        return whole if for_developers or seen is None else seen

    def _joinable_frames(self) -> Iterator[Frame]:
        return islice(self._frames, max(0, self._joinable - self._first), None)

    def _drop_oldest(self) -> None:
        frame = self._frames.popleft()
        self._size -= len(frame.data)
        if self._first == self._joinable:
            self._joinable += 1
            self._start = frame.last
        self._first += 1
