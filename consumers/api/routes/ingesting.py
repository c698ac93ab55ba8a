"""What routes that record what other programs send have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from consumers.api.ingest.recorder import Recorder
from consumers.api.meters import Meters
from consumers.api.shares import Shares, client_of

if TYPE_CHECKING:
    from collections.abc import Callable


def recorder_of(request: Request) -> Recorder:
    """Return that of the application that answers."""
    found: Recorder = request.app.state.recorder
    return found


Recording = Annotated[Recorder, Depends(recorder_of)]


def host_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else "unknown"


def meters_of(request: Request) -> Meters:
    """Return what counts how much each caller sends."""
    meters: Meters = request.app.state.meters
    return meters


async def in_turn(request: Request, record: Callable[[], None]) -> None:
    """Record in a thread, when it is this client's turn."""
    shares: Shares = request.app.state.shares
    async with shares.appending.place(client_of(request.scope)):
        await run_in_threadpool(record)


def taken() -> Response:
    """Answer that all of it is recorded."""
    return Response(b"{}", 200, {"Cache-Control": "no-store"}, "application/json")
