"""Server-sent events: one job, and the list of jobs."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field, StringConstraints, TypeAdapter
from starlette.responses import StreamingResponse

from consumers.api import parameters
from consumers.api.live import frames
from consumers.api.live.several import merged
from consumers.api.live.waiting import Following
from consumers.api.permissions import Asking, VisibleJob
from consumers.api.problems import not_found, unprocessable
from consumers.api.view_access import of_caller
from consumers.errors import StoreUnavailable
from synapse_stream.entries.position import Position
from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prometheus_client import Gauge
    from starlette.types import Send

    from consumers.api.live.hub import Hub
    from consumers.api.tokens import Caller

_UNKNOWN_SECONDS = 2.0
_STREAMS: TypeAdapter[list[tuple[str, str | None] | None]] = TypeAdapter(
    Annotated[list[tuple[str, str | None] | None], Field(min_length=1, max_length=32)]
)

router = APIRouter(tags=["live"])


class EventStream(StreamingResponse):
    """Bytes of server-sent events, as they come."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        # a proxy that stored or collected the stream would hold the events back
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        # such a stream is UTF-8 by its definition, and names no charset
        super().__init__(events, headers={**headers, "Content-Type": self.media_type})
        self._events = events

    async def stream_response(self, send: Send) -> None:
        """Write until the stream ends or the client leaves; then it is forgotten at once."""
        try:
            await super().stream_response(send)
        finally:
            await self._events.aclose()


@router.get("/api/jobs/{job}/live", response_class=EventStream, status_code=200)
async def follow_job(
    request: Request,
    job_id: VisibleJob,
    caller: Asking,
    hub: Following,
    after: parameters.PositionText | None = None,
    last_event_id: Annotated[str | None, Header(max_length=60)] = None,
    view: Annotated[
        list[Annotated[str, StringConstraints(max_length=60)]] | None,
        Query(max_length=16, description="Views of other packages to follow, too."),
    ] = None,
) -> EventStream:
    """Follow a job: `snapshot`, then every `event` behind it, and `state` when it has changed.

    An event comes with its position, producer, attempt and rank.

    `Last-Event-ID`, or `after`, goes on behind that position without a snapshot; if it is not in
    the stream any more, there is a `reset` and a snapshot. `coalesced` tells a reader that was too
    slow how many progress and metrics events were left out. With `view` there is a frame of that
    name, too, whenever what that view has of the job is another one.
    """
    named_views = [of_caller(name, caller) for name in dict.fromkeys(view or ())]
    named, text = ("Last-Event-ID", last_event_id) if last_event_id else ("after", after)
    position = parameters.position(named, text)
    channel = await hub.channel(job_id)
    if channel is None:
        raise not_found(job_id)
    found = hub.follow(channel, position, for_developers=caller.is_developer, views=named_views)
    return EventStream(_counted(request, found))


@router.get("/api/live", response_class=EventStream, status_code=200)
async def follow_jobs(
    request: Request,
    caller: Asking,
    hub: Following,
    streams: Annotated[
        str | None,
        Query(
            max_length=6_000,
            description=(
                "Several streams as one: a JSON list, at most 32, of `[job, after]`, `after` being "
                "a position or null, and of null for the list. A `from` with a number, its place "
                "there, tells whose the next frames are; `refused` that a job is not known yet."
            ),
        ),
    ] = None,
) -> EventStream:
    """Follow the list of jobs: a `job` whenever the state of one has changed."""
    if streams is None:
        return EventStream(_counted(request, hub.jobs.stream(caller.sees)))
    found = [
        hub.jobs.stream(caller.sees) if one is None else _follow_when_known(hub, caller, *one)
        for one in _wanted(streams)
    ]
    return EventStream(_counted(request, merged(found)))


def _wanted(text: str) -> list[tuple[str, Position | None] | None]:
    try:
        wanted = _STREAMS.validate_json(text, strict=True)
        return [
            None if one is None else (one[0], None if one[1] is None else Position.parse(one[1]))
            for one in wanted
        ]
    except ValueError:
        expected = "a JSON list of [job, position or null], or null"
        raise unprocessable("streams", text, expected) from None


async def _follow_when_known(
    hub: Hub, caller: Caller, job_id: str, after: Position | None
) -> AsyncGenerator[bytes, None]:
    """Yield a job's stream; of one that is not known, or that the caller may not see, it waits."""
    is_told = False
    while not hub.is_closing:
        try:
            channel = await hub.channel(job_id) if caller.sees(job_id) else None
        except (LogUnavailable, StoreUnavailable) as error:
            hub.outages.tell(error)
            yield frames.refused(HTTPStatus.SERVICE_UNAVAILABLE, error.reason)
            return
        if channel is not None:
            stream = hub.follow(channel, after, for_developers=caller.is_developer)
            async with aclosing(stream):
                async for chunk in stream:
                    yield chunk
            return
        if not is_told:
            is_told = True
            yield frames.refused(HTTPStatus.NOT_FOUND, str(not_found(job_id).detail))
        await asyncio.sleep(_UNKNOWN_SECONDS)


async def _counted(
    request: Request, events: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """Yield events, and count who gets them."""
    connections: Gauge = request.app.state.telemetry.live_connections
    connections.inc()
    try:
        async for chunk in events:
            yield chunk
    finally:
        connections.dec()
        await events.aclose()
