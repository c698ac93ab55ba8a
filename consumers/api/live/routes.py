"""Server-sent events: one job, and the list of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import StreamingResponse

from consumers.api import parameters
from consumers.api.access import Asking, VisibleJob
from consumers.api.live.hub import Hub
from consumers.api.problems import not_found

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Send

    from consumers.api.access import Access

router = APIRouter(tags=["live"])

Following = Annotated[Hub, Depends(Hub.of)]


class EventStream(StreamingResponse):
    """Bytes of server-sent events, as they come."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        # a proxy that stored or collected the stream would hold the events back
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers)
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
) -> EventStream:
    """Follow a job: `snapshot`, then every `event` behind it, and `state` when it has changed.

    `Last-Event-ID`, or `after`, goes on behind that position without a snapshot; if it is not in
    the stream any more, there is a `reset` and a snapshot. `coalesced` tells a reader that was too
    slow how many progress and metrics events were left out.
    """
    named, text = ("Last-Event-ID", last_event_id) if last_event_id else ("after", after)
    position = parameters.position(named, text)
    channel = await hub.channel(job_id)
    if channel is None:
        raise not_found(job_id)
    found = hub.follow(channel, position, for_developers=caller.is_developer)
    return EventStream(_while_allowed(request, found))


@router.get("/api/live", response_class=EventStream, status_code=200)
async def follow_jobs(request: Request, caller: Asking, hub: Following) -> EventStream:
    """Follow the list of jobs: a `job` whenever the state of one has changed."""
    return EventStream(_while_allowed(request, hub.jobs.stream(caller.sees)))


async def _while_allowed(
    request: Request, events: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """Yield events until their reader signs out, or its session or token is over."""
    access: Access = request.app.state.access
    is_allowed = access.checking(request.headers.get("authorization"), request.state.session)
    try:
        async for chunk in events:
            if not is_allowed():
                return
            yield chunk
    finally:
        await events.aclose()
