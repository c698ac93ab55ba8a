"""The hub: one reader of the feeds a process, one channel a watched job, any number of clients."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request

from consumers.api.live import frames
from consumers.api.live.channel import Channel
from consumers.api.live.client import Client
from consumers.api.live.joblist import JobList
from consumers.api.live.reader import FeedReader
from consumers.api.live.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from consumers.api.live.tracker import Snapshot
    from consumers.api.sources import Sources
    from synapse_stream.entries.entry import FeedPointer
    from synapse_stream.entries.position import Position
    from synapse_stream.log.server_clock import Away

Found = TypeVar("Found")

_THREADS = 8
"""For the store and for clients that catch up; those wait for one another, the live ones do not."""
_LIST_SECONDS = 0.5
_BEAT_SECONDS = 15.0
_BESIDE_SECONDS = 5.0
_VIEW_SECONDS = 0.25
_IDLE_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_FASTEST_TURN, _SLOWEST_TURN = 0.02, 0.1
_CLIENTS_OF_SLOWEST = 1_000


class Hub:
    """Serves live streams from `start` to `stop`. Belongs to the event loop."""

    def __init__(self, sources: Sources) -> None:
        self.is_closing = False
        self.outages = sources.outages
        self._sources = sources
        self.jobs = JobList(sources.views, sources.store, sources.clock)
        self._channels: dict[str, Channel] = {}
        self._loading: dict[str, asyncio.Task[Channel | None]] = {}
        self._limiter = CapacityLimiter(_THREADS)
        self._keepers: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: Away | None = None
        self._reader = FeedReader(
            sources, post=self._post, note=self._note, pace=self._pace, drop=self._drop
        )

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return that of the application that answers `request`."""
        hub: Self = request.app.state.hub
        return hub

    @property
    def clients(self) -> int:
        """How many streams are open."""
        channels = list(self._channels.values())
        return sum(channel.clients for channel in channels) + self.jobs.clients

    async def start(self) -> None:
        """Begin to read the feeds. A server that is away is waited for."""
        self._loop = asyncio.get_running_loop()
        self._reader.start()
        self._keepers = [
            asyncio.create_task(self._every(_BEAT_SECONDS, self._beat)),
            asyncio.create_task(self._every(_LIST_SECONDS, self._refresh_list)),
            asyncio.create_task(self._every(_BESIDE_SECONDS, self._look_beside)),
            asyncio.create_task(self._every(_LOOK_SECONDS, self._look_for_ends)),
            asyncio.create_task(self._every(_VIEW_SECONDS, self._show_views)),
        ]

    def end_streams(self) -> None:
        """Have every open stream end, and new ones at once; may be called by a signal handler."""
        self._post(self._close_all)

    async def stop(self) -> None:
        """End all streams; return when nothing runs any more."""
        self._close_all()
        for task in (*self._keepers, *self._loading.values()):
            task.cancel()
        await to_thread.run_sync(self._reader.stop)

    async def channel(self, job_id: str) -> Channel | None:
        """Return the channel of a job; None for one that has neither a view nor a stream.

        Raises:
            LogUnavailable, StoreUnavailable: the job could not be read.
        """
        channel = self._channels.get(job_id)
        if channel is not None and (self.is_closing or not channel.is_closed):
            channel.idle_since = time.monotonic()  # its new client has not entered yet
            return channel
        task = self._loading.get(job_id)
        if task is None:
            task = self._loading[job_id] = asyncio.create_task(self._open(job_id))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)  # others may wait for it, too

    def follow(
        self,
        channel: Channel,
        after: Position | None,
        *,
        for_developers: bool,
        views: Sequence[str] = (),
    ) -> AsyncGenerator[bytes, None]:
        """Yield a job's live stream for one client, behind `after` or from a snapshot on."""
        reader = self._sources.reader
        client = Client(channel, reader, self.in_thread, for_developers=for_developers, views=views)
        return client.stream(after)

    async def in_thread(self, call: Callable[[], Found]) -> Found:
        """Call what waits for a server or a database."""
        return await to_thread.run_sync(call, limiter=self._limiter)

    async def _open(self, job_id: str) -> Channel | None:
        try:
            found = await self.in_thread(partial(self._load, job_id))
            if found is None:
                return None
            channel = self._channels[job_id] = Channel(*found)
            channel.beat(self._pulse())
            self._reader.watch(channel)
            if self.is_closing:
                channel.close()
            return channel
        finally:
            del self._loading[job_id]

    def _load(self, job_id: str) -> tuple[Tracker, Snapshot] | None:
        sources = self._sources
        beside = sources.views.beside([job_id])[job_id]
        rewind_ms = int(sources.settings.rewind_seconds * 1000)
        tracker = Tracker.load(
            job_id, sources.store, sources.reader, beside=beside, rewind_ms=rewind_ms
        )
        snapshot = tracker.snapshot(sources.clock.now_ms(), sources.clock.judging_ms())
        return None if snapshot is None else (tracker, snapshot)

    def _post(self, call: Callable[[], object]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(call)

    def _note(self, partition: int, pointers: Sequence[FeedPointer]) -> None:
        if self.jobs.clients:
            self._post(partial(self.jobs.note, partition, pointers))

    def _pace(self) -> float:
        """Return how long a turn takes: each costs a write a client."""
        share = min(1.0, self.clients / _CLIENTS_OF_SLOWEST)
        return _FASTEST_TURN + share * (_SLOWEST_TURN - _FASTEST_TURN)

    def _close_all(self) -> None:
        self.is_closing = True
        self.jobs.close()
        for channel in self._channels.values():
            channel.close()

    def _drop(self, channel: Channel) -> None:
        """Close a channel, and forget it: whoever comes next gets another one."""
        channel.close()
        if self._channels.get(channel.job_id) is channel:
            del self._channels[channel.job_id]

    async def _every(self, seconds: float, call: Callable[[], Awaitable[None]]) -> None:
        """Call again and again, whatever comes of it."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await call()
            except Exception as error:  # noqa: BLE001 - the next call may do
                self.outages.tell(error)

    async def _beat(self) -> None:
        """Have every client get a keep-alive; forget channels that nobody follows."""
        self._tell_of_server()
        now = time.monotonic()
        for channel in list(self._channels.values()):
            if not channel.clients and now - channel.idle_since > _IDLE_SECONDS:
                self._reader.forget(channel)
                self._drop(channel)

    def _tell_of_server(self) -> None:
        """Have every client know whether the server is away; whoever comes later gets it first."""
        self._told = self._sources.clock.away
        pulse = self._pulse()
        self.jobs.beat(pulse)
        for channel in self._channels.values():
            channel.beat(pulse)

    def _pulse(self) -> bytes:
        return frames.pulse(self._told, self._sources.clock.local_ms())

    async def _look_for_ends(self) -> None:
        if self._sources.clock.away != self._told:
            self._tell_of_server()
        await self.in_thread(self.outages.look)

    async def _refresh_list(self) -> None:
        await self.jobs.refresh(self.in_thread)

    async def _show_views(self) -> None:
        """Read what views of other packages have of jobs whose clients ask for it."""
        due: dict[str, list[str]] = {}
        for job_id, channel in self._channels.items():
            for name in channel.views.due(channel.newest):
                due.setdefault(name, []).append(job_id)
        for name, job_ids in due.items():
            read = partial(self._sources.views.view_of, name, job_ids)
            for found in await self.in_thread(read):
                if found.job_id in self._channels:
                    self._channels[found.job_id].show_view(found)

    async def _look_beside(self) -> None:
        """Look up what other views tell of jobs that are watched and report."""
        now = time.monotonic()
        busy = {
            job_id: channel.tracker
            for job_id, channel in self._channels.items()
            if channel.clients and now - channel.changed_at < _BESIDE_SECONDS + _IDLE_SECONDS
        }
        if busy:
            found = await self.in_thread(partial(self._sources.views.beside, list(busy)))
            for job_id, beside in found.items():
                busy[job_id].beside = beside
