"""The HTTP server: uvicorn, with connections of ours."""

from __future__ import annotations

import gc
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn

from consumers.api.connections import LimitedProtocol, most_connections
from consumers.api.crowd import Crowd
from consumers.api.live.leaving import Server
from consumers.api.turns import Turns

if TYPE_CHECKING:
    from fastapi import FastAPI

_GRACE_SECONDS = 1
_KEEP_ALIVE_SECONDS = 15
_BACKLOG = 4_096
_SWITCH_SECONDS = 0.001
"""How long a thread that calculates keeps the event loop waiting; Python's own is five times it."""
_COLLECTED = 2_000, 20, 50


def spare_collector() -> None:
    """Have the garbage collector not look through what is there now, and through the rest seldom.

    Everybody waits for it: of all that the programs and libraries hold, 100 ms each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED)


def server_of(app: FastAPI, host: str, port: int) -> Server:
    """Return what serves `app`; it is not started yet."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    protocol: Any = partial(LimitedProtocol, crowd=Crowd(most_connections()), turns=Turns())
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        forwarded_allow_ips=app.state.sources.settings.api_proxies or "",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Server(config, app.state.hub)
