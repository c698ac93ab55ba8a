"""The application: routers, page and guards, put together."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from consumers.api import events, files, jobs, messages, metrics, problems
from consumers.api.access import ANYONE_HERE
from consumers.api.sources import Sources
from synapse_stream import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from synapse_stream.settings import Settings


class RawPaths:
    """Routes by the path as it came, so that a `/` within a job's id does not divide it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the raw path."""
        if scope["type"] == "http":
            scope["path"] = scope["raw_path"].decode("latin-1")
            scope.setdefault("state", {})["caller"] = ANYONE_HERE
        await self._app(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """Return the application of a deployment.

    Raises:
        ConfigError: a URL is wrong, or what serves it is not installed.
    """
    sources = Sources(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(sources.close)

    app = FastAPI(
        title="Synapse Stream",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.sources = sources
    problems.install(app)
    for module in (jobs, metrics, messages, events, files):
        app.include_router(module.router)
    app.add_middleware(RawPaths)
    return app
