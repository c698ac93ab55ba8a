"""The application: routers, page and guards, put together."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.concurrency import run_in_threadpool

from consumers.api import description, live, problems
from consumers.api.access import Access
from consumers.api.faults import Faults
from consumers.api.finished import Finished
from consumers.api.guard import Guard
from consumers.api.ingest.durable.headers import STREAM_HEADERS
from consumers.api.ingest.durable.keeper import Keeper
from consumers.api.ingest.recorder import Recorder
from consumers.api.live import Hub
from consumers.api.meters import Meters
from consumers.api.outlet import Outlet
from consumers.api.revoked import Revoked
from consumers.api.routes import (
    annotating,
    append,
    comparing,
    durable,
    events,
    files,
    groups,
    jobs,
    messages,
    metrics,
    session,
    synapse,
    telemetry,
    tokens,
    trail,
    trainer,
    views,
    vouching,
)
from consumers.api.routes.telemetry import Telemetry, Timed
from consumers.api.shares import Shared, Shares
from consumers.api.sources import Sources
from consumers.api.strangers import Strangers
from consumers.api.underway import Underway
from synapse_stream import __version__
from synapse_stream.operating.acts import TrailReader
from synapse_stream.operating.trail import Trail
from synapse_stream.redaction.body import compiled
from synapse_stream.remote.backend import Backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from synapse_stream.settings import Settings


_THREADS = 32
"""More than all lanes take, so that health and numbers never wait for a thread."""


def create_app(settings: Settings, access: Access | None = None) -> FastAPI:
    """Return the application of a deployment; its callers are known by `access`, or the settings.

    Raises:
        ConfigError: a URL or the tokens are wrong, or what serves a URL is not installed.
    """
    access = access or Access.load(settings)
    sources = Sources(settings)
    hub = Hub(sources)
    revoked = Revoked(sources.log)
    access.is_revoked = lambda token_id: token_id in revoked.ids
    finished = Finished(sources)
    underway = Underway(access, finished)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        await hub.start()
        if access.demands_token:
            await revoked.start()
            underway.start()
        yield
        await underway.stop()
        await revoked.stop()
        await hub.stop()
        await run_in_threadpool(app.state.trail.close)
        await run_in_threadpool(sources.close)

    app = FastAPI(
        title="Synapse Stream",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.access, app.state.sources = access, sources
    app.state.hub, app.state.revoked, app.state.underway = hub, revoked, underway
    _equip(app, settings)
    problems.install(app)
    reading = (live, jobs, annotating, groups, comparing, metrics, messages, events, views)
    others = (append, durable, synapse, trainer, tokens, trail, vouching, session, telemetry, files)
    for module in (*reading, *others):
        app.include_router(module.router)
    description.install(app)
    _put_guards(app, settings, finished, underway)
    return app


def _equip(app: FastAPI, settings: Settings) -> None:
    """Give the application what its routes work with."""
    state = app.state
    state.trail, state.trail_reader = Trail.open(settings), TrailReader(state.sources.reader)
    state.strangers = Strangers()
    state.meters = Meters()
    state.shares = Shares()
    rules = compiled(settings.redact_rules)
    state.recorder = Recorder(state.sources.log, rules)
    state.keeper = Keeper(state.sources.log, rules)
    state.backend = settings.synapse_backend and Backend(settings.synapse_backend)
    state.telemetry = Telemetry(state.sources)
    state.telemetry.live_clients.set_function(lambda: state.hub.clients)


def _put_guards(app: FastAPI, settings: Settings, finished: Finished, underway: Underway) -> None:
    """Have every request pass what it must pass; the last one here is the first."""
    state = app.state
    app.add_middleware(Shared, shares=state.shares)
    app.add_middleware(Outlet)
    app.add_middleware(Faults, outages=state.sources.outages)
    app.add_middleware(Timed, telemetry=state.telemetry)
    app.add_middleware(
        Guard,
        access=state.access,
        finished=finished,
        underway=underway,
        strangers=state.strangers,
        origins=settings.api_origins,
    )
    if settings.api_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.api_origins.split(","),
            allow_headers=["Authorization", "Last-Event-ID", "If-None-Match"],
            allow_methods=["GET", "HEAD"],
            expose_headers=["ETag", "Retry-After", "Content-Disposition", *STREAM_HEADERS],
        )
