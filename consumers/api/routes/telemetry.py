"""Whether this process is well, and the numbers that Prometheus collects.

No number is by job: there may be any number of those. What cannot be asked, because the store or
the server is away, is left out; `synapse_stream_up` says so.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from consumers import views
from consumers.api.permissions import reader_of
from consumers.api.routes.numbers import Numbers, refused_anchors, shed
from consumers.api.schemas import Wellness
from consumers.api.sources import Opened
from consumers.errors import StoreUnavailable
from consumers.store.anchor_heads import AnchorHeads
from synapse_stream.errors import SynapseStreamError
from synapse_stream.operating.lag import gaps, late, measure, measure_one, unowned
from synapse_stream.producer.adoption.search import spools

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client import Metric
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from consumers.api.sources import Sources
    from consumers.outages import Outages
    from synapse_stream.operating.lag import Lag

router = APIRouter(tags=["operations"])

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NOT_COLLECTED = b"""# HELP synapse_stream_up 1 while it can be reached.
# TYPE synapse_stream_up gauge
synapse_stream_up{part="store"} 0.0
synapse_stream_up{part="server"} 0.0
"""
_logger = logging.getLogger(__name__)


@router.get("/healthz", response_class=Response, responses={200: {"model": Wellness}})
async def show_health() -> Response:
    """Tell that this process answers, whatever its threads work on."""
    return _json({"status": "ok"})


@router.get(
    "/readyz",
    response_class=Response,
    responses={200: {"model": Wellness}, 503: {"model": Wellness}},
)
def show_readiness(sources: Opened) -> Response:
    """Tell whether views can be read and go on: by 503 what is away, or who does not project."""
    away: dict[str, str] = {}
    noting = partial(_noting, away, sources.outages)
    with noting("store"):
        sources.store.leases.checkpoints(views.RECORD)
    with noting("server"):
        sources.log.check(found=False)
    if not away:
        with noting("server"):
            found = measure(sources.store, sources.log)
            away |= _standing([lag for lag in found if lag.projection not in views.installed()])
    if away:
        content = {"status": "not ready", "away": away}
        return _json(content, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "2"})
    return _json({"status": "ready"})


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[Depends(reader_of)])
def show_numbers(request: Request) -> Response:
    """Return this process's numbers and those of the deployment, as Prometheus reads them."""
    telemetry: Telemetry = request.app.state.telemetry
    return Response(telemetry.collected(), 200, media_type=CONTENT_TYPE_LATEST)


class Telemetry:
    """The numbers of one application."""

    def __init__(self, sources: Sources) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "synapse_stream_request_seconds",
            "Time until an answer begins, by route and status.",
            ["method", "route", "status"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.live_clients = Gauge(
            "synapse_stream_live_clients",
            "Clients that follow a job or the list.",
            registry=self.registry,
        )
        self.live_connections = Gauge(
            "synapse_stream_live_connections",
            "Connections over which they do; one carries all tabs of a browser.",
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self._deployment = CollectorRegistry()
        self._deployment.register(_Deployment(sources))

    def collected(self) -> bytes:
        """Return all numbers that can be had now; those of this process in any case."""
        own = generate_latest(self.registry)
        try:
            return own + generate_latest(self._deployment)
        except Exception:
            _logger.exception("the numbers of the deployment cannot be collected")
            return own + _NOT_COLLECTED


class Timed:
    """Measures requests; routes by their templates, so that no job makes a series of its own."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._requests = telemetry.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note when the answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                labels = (method, route, str(message["status"]))
                self._requests.labels(*labels).observe(time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, send_noting)


class _Deployment(Collector):
    """Asks store and server at each collection."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        """Yield what can be asked now."""
        away: dict[str, str] = {}
        noting = partial(_noting, away, self._sources.outages)
        numbers = Numbers()
        with noting("store"):
            numbers.take_stored(views.names(), self._sources.store)
        with suppress(SynapseStreamError):
            yield shed(self._sources.views.count_shed())
        with suppress(SynapseStreamError):
            yield refused_anchors(AnchorHeads(self._sources.store.databases).refused())
        with noting("server"):
            self._sources.log.now_ms()
            for projection in numbers.readable:
                numbers.take_lag(
                    projection, measure_one(self._sources.store, self._sources.log, projection)
                )
        yield from numbers.metrics
        yield self._spool()
        up = GaugeMetricFamily("synapse_stream_up", "1 while it can be reached.", labels=["part"])
        for part in ("store", "server"):
            up.add_metric([part], part not in away)
        yield up

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: a registry would ask store and server for it."""
        return ()

    def _spool(self) -> Metric:
        held = "Bytes in the spools of this host; what the server has stays for some minutes."
        with suppress(OSError):  # other users' spools may not be ours to look into
            homes = chain.from_iterable(spools(self._sources.settings).values())
            size = sum(map(_size, homes))
            return GaugeMetricFamily("synapse_stream_spool_bytes", held, value=size)
        return GaugeMetricFamily("synapse_stream_spool_bytes", held)


def _standing(found: list[Lag]) -> dict[str, str]:
    """Say which projections nobody drives, or do not move."""
    said = [f"{name} has no consumer for {n} partitions" for name, n in unowned(found).items()]
    said += [f"{name} is {seconds:.0f} s behind" for name, seconds in late(found).items()]
    said += [f"{name} stands still in {n} partitions" for name, n in gaps(found).items()]
    return {"consumers": "; ".join(said)} if said else {}


def _size(home: Path) -> int:
    total = 0
    with suppress(OSError):  # it may be sent and removed meanwhile
        for file in home.iterdir():
            total += file.stat().st_size
    return total


@contextmanager
def _noting(away: dict[str, str], outages: Outages, part: str) -> Iterator[None]:
    """Note in `away` why a part could not be asked."""
    try:
        yield
    except SynapseStreamError as error:
        outages.tell(error)
        said = getattr(error, "reason", None) or str(error)  # what a driver says is for the log
        away["store" if isinstance(error, StoreUnavailable) else part] = said


def _json(
    content: dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(orjson.dumps(content), status, kept, "application/json")
