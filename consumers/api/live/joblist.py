"""The list page's stream: jobs whose committed run state has changed."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

import orjson

from consumers.api import shapes
from consumers.api.live import frames
from consumers.api.live.bell import Bell
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.keys import TRAIL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from consumers.store.store import Store
    from synapse_stream.entries.entry import EntryId, FeedPointer
    from synapse_stream.log.server_clock import ServerClock
    from synapse_stream.ports.views import ServedViews

_JOBS_A_TURN = 500
_CHUNK_BYTES = 128 * 1024


class _Loaded(NamedTuple):
    committed: Mapping[int, EntryId]
    """How far the partitions are."""
    frames: Mapping[str, bytes | None]
    """Of jobs that are there; None for one of which nothing could be folded."""


class _Change(NamedTuple):
    """Entries of a job that are not shown yet: the first of them, and the last."""

    partition: int
    first: EntryId
    last: EntryId


class JobList:
    """Collects what the feeds name, and shows a job as soon as that is committed.

    Clients share the newest frame of each job; a slow one gets the newest of those that changed
    meanwhile. Belongs to the event loop.
    """

    def __init__(self, views: ServedViews, store: Store, clock: ServerClock) -> None:
        self.is_closed = False
        self._views = views
        self._store = store
        self._clock = clock
        self._changes: dict[str, _Change] = {}
        self._shown: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        """Newest frames by job, with rising numbers."""
        self._number = 0
        self._readers: dict[object, int] = {}
        """Number of the last frame that each client has got."""
        self._beats = 0
        self._pulse = frames.KEEP_ALIVE
        self._bell = Bell()

    @property
    def clients(self) -> int:
        """How many follow the list."""
        return len(self._readers)

    def note(self, partition: int, pointers: Sequence[FeedPointer]) -> None:
        """Take note of what a feed names."""
        for pointer in pointers if self._readers else ():
            entry, job_id = pointer.entry, pointer.job_id
            known = self._changes.get(job_id)
            first = entry if known is None else min(known.first, entry)
            if job_id and job_id != TRAIL:
                self._changes[job_id] = _Change(partition, first, entry)

    async def refresh(
        self, in_thread: Callable[[Callable[[], _Loaded]], Awaitable[_Loaded]]
    ) -> None:
        """Show the jobs whose changes are committed, the longest waiting first.

        Raises:
            StoreUnavailable: they wait.
        """
        if self._changes:
            loaded = await in_thread(partial(self._load, dict(self._changes)))
            for job_id, frame in loaded.frames.items():
                self._show(job_id, frame, loaded.committed)
            self._bell.ring()
        self._forget()

    def beat(self, pulse: bytes) -> None:
        """Have clients get a keep-alive."""
        self._pulse = pulse
        self._beats += 1
        self._bell.ring()

    def close(self) -> None:
        """End the streams of all clients."""
        self.is_closed = True
        self._bell.ring()

    async def stream(self, sees: Callable[[str], bool]) -> AsyncGenerator[bytes, None]:
        """Yield the jobs that change from now on, of those that the client `sees`."""
        reader = object()
        self._readers[reader] = self._number
        beats = self._beats
        try:
            yield frames.RETRY + self._pulse if self._clock.away else frames.RETRY
            while not self.is_closed:
                parts = self._take(reader, sees)
                if beats != self._beats:
                    beats = self._beats
                    parts.append(self._pulse)
                if parts:
                    yield b"".join(parts)
                else:
                    await self._bell.wait()
        finally:
            del self._readers[reader]

    def _load(self, changes: Mapping[str, _Change]) -> _Loaded:
        """Read the jobs whose changes are committed, some of them at a time."""
        places = self._store.leases.checkpoints(RunStateView.name)
        committed = {place.partition: place.position for place in places}
        ready = [
            job_id
            for job_id, change in changes.items()
            if change.first <= committed.get(change.partition, (0, 0))
        ][:_JOBS_A_TURN]
        found: dict[str, bytes | None] = dict.fromkeys(ready)
        now_ms = self._clock.judging_ms()
        states = self._views.listed(ready) if ready else {}
        arrivals = self._views.arrivals(list(states)) if states else {}
        for job_id, state in states.items():
            summary = shapes.summary(state, now_ms, arrivals.get(job_id))
            found[job_id] = frames.job(orjson.dumps(summary))
        return _Loaded(committed, found)

    def _show(self, job_id: str, frame: bytes | None, committed: Mapping[int, EntryId]) -> None:
        change = self._changes.pop(job_id)
        if change.last > committed[change.partition]:
            self._changes[job_id] = change._replace(first=change.last)
        if frame is not None:
            self._number += 1
            self._shown[job_id] = (self._number, frame)
            self._shown.move_to_end(job_id)

    def _take(self, reader: object, sees: Callable[[str], bool]) -> list[bytes]:
        """Return the oldest frames that a client has not got, not many bytes at once."""
        number = self._readers[reader]
        fresh = takewhile(lambda shown: shown[1][0] > number, reversed(self._shown.items()))
        parts: list[bytes] = []
        size = 0
        for job_id, (number, frame) in reversed(list(fresh)):
            self._readers[reader] = number
            if sees(job_id):
                parts.append(frame)
                size += len(frame)
            if size > _CHUNK_BYTES:
                break
        return parts

    def _forget(self) -> None:
        """Drop what every client has got."""
        oldest = min(self._readers.values(), default=self._number)
        while self._shown and next(iter(self._shown.values()))[0] <= oldest:
            self._shown.popitem(last=False)
        if not self._readers:
            self._changes.clear()
