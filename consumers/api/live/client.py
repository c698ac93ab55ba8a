"""One reader of a job's live stream: what it gets, and in which order."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from consumers.api.live import frames
from consumers.api.live.catch_up import CatchUp
from consumers.api.live.channel import LOST_TAIL
from consumers.errors import StoreUnavailable
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from consumers.api.live.channel import Channel
    from synapse_stream.entries.position import Position
    from synapse_stream.reading.job_reader import JobReader

    InThread = Callable[[Callable[[], bytes | None]], Awaitable[bytes | None]]

_NOT_THERE = "the position {} is not there: trimmed and not archived, or lost by the server"
_PAUSE_SECONDS = 0.5


class Pass:
    """Reading up to where the channel stood, again and again, each time less if it is to succeed.

    A client that asks for what was before gets all of it, unless it is slower than what comes.
    """

    def __init__(self, to: Position, *, is_too_slow: bool = False) -> None:
        self.is_too_slow = is_too_slow
        self._to = to
        self._begun = time.monotonic()
        self._took = inf

    def note(self, position: Position, newest: Position) -> None:
        """Begin the next pass when this one has come to its end."""
        if position < self._to:
            return
        now = time.monotonic()
        took = now - self._begun
        self.is_too_slow |= took >= self._took
        self._to, self._begun, self._took = newest, now, took


class Client:
    """Follows a channel; what has gone from it, and what was before, it reads itself."""

    def __init__(
        self,
        channel: Channel,
        reader: JobReader,
        in_thread: InThread,
        *,
        for_developers: bool,
        views: Sequence[str] = (),
    ) -> None:
        """Follow `channel`, and beside it these views of other packages."""
        self._channel = channel
        self._job_reader = reader
        self._in_thread = in_thread
        self._for_developers = for_developers
        self._views = dict.fromkeys(views, -1)
        """Of each how often there was another one before that which the reader has."""
        self._position = BEGINNING
        self._following: int | None = None
        """Number of the next frame; None while catching up."""
        self._met_at: Position | None = None
        self._shown = self._beats = self._resets = -1
        self._pass = Pass(channel.newest)
        self._was_live = False

    async def stream(self, after: Position | None) -> AsyncGenerator[bytes, None]:
        """Yield what goes over the wire, until the channel closes or the reader leaves."""
        channel = self._channel
        channel.enter()
        self._beats = channel.beats
        try:
            with channel.views.following([*self._views]):
                yield channel.begin()
                if first := self._begin() if after is None else await self._resume(after):
                    yield first
                async for chunk in self._follow():
                    yield chunk
        finally:
            channel.leave()

    async def _follow(self) -> AsyncGenerator[bytes, None]:
        channel = self._channel
        while not channel.is_closed:
            if self._following is None:
                async for chunk in self._catch_up():
                    if chunk:
                        yield chunk
            elif chunk := self._take(self._following):
                yield chunk
            elif self._following is not None:
                await channel.wait()

    def _begin(self) -> bytes:
        """Return the channel's snapshot, and go on behind it."""
        channel = self._channel
        self._position = channel.snapshot.position
        self._following, self._met_at = channel.joined_at, None
        self._shown, self._resets = channel.shown, channel.resets
        return channel.first(for_developers=self._for_developers)

    def _begin_anew(self, reason: str) -> bytes:
        return frames.reset(reason) + self._begin()

    async def _resume(self, after: Position) -> bytes:
        """Go on behind `after`, if the stream has it."""
        channel = self._channel
        self._position, self._resets = after, channel.resets
        if channel.has(after):
            return b""
        reader = self._reader()
        while not channel.is_closed:
            with suppress(LogUnavailable, StoreUnavailable):
                rest = await self._in_thread(reader.begin)
                self._position = reader.position
                return self._begin_anew(_NOT_THERE.format(after)) if rest is None else rest
            await self._pause()
        return b""

    async def _catch_up(self) -> AsyncGenerator[bytes, None]:
        """Read the stream until it meets the channel."""
        channel, reader = self._channel, self._reader()
        while not channel.is_closed and self._following is None:
            self._position = reader.position
            self._following = channel.find(self._position)
            if channel.resets != self._resets:
                yield self._begin_anew(LOST_TAIL)
            elif self._following is None:
                yield await self._read_on(reader)
            else:
                self._met_at, self._shown = self._position, -1

    async def _read_on(self, reader: CatchUp) -> bytes:
        """Return the next events from the stream; at its end, or without a server, wait."""
        self._pass.note(self._position, self._channel.newest)
        read = reader.read_coalescing if self._pass.is_too_slow else reader.read
        try:
            chunk, is_over = await self._in_thread(read), reader.is_at_end
        except (LogUnavailable, StoreUnavailable):
            chunk, is_over = b"", True
        if chunk is None:
            return self._begin_anew(LOST_TAIL)
        if is_over and not chunk:
            await self._pause()
        return chunk + self._beat()

    def _take(self, number: int) -> bytes:
        """Return what the channel has for this client; nothing if it is to wait or to catch up."""
        channel = self._channel
        taken = channel.take(number, self._met_at, for_developers=self._for_developers)
        if taken is None:
            self._following = None
            self._pass = Pass(channel.newest, is_too_slow=self._was_live)
            return b""
        self._was_live = True
        parts = taken.parts
        self._following, self._met_at = taken.following, taken.met_at
        if parts and taken.met_at is None:
            self._position = taken.last
        if taken.following == channel.following:
            self._resets = channel.resets
            if self._shown != channel.shown:
                self._shown = channel.shown
                parts.append(channel.state(for_developers=self._for_developers))
            for name, shown in channel.views.news(self._views) if self._views else ():
                self._views[name] = shown.times
                parts.append(shown.frame)
        if beat := self._beat():
            parts.append(beat)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _beat(self) -> bytes:
        due = self._beats != self._channel.beats
        self._beats = self._channel.beats
        return self._channel.pulse if due else b""

    def _reader(self) -> CatchUp:
        return CatchUp(
            self._job_reader,
            self._channel.job_id,
            self._position,
            self._channel.tracker.whose,
            for_developers=self._for_developers,
        )

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PAUSE_SECONDS):
                await self._channel.wait()
