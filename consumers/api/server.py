"""The HTTP server: uvicorn, with connections of ours."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn

from consumers.api.connections import Crowd, LimitedProtocol, most_connections
from consumers.api.live.leaving import Server

if TYPE_CHECKING:
    from fastapi import FastAPI

_GRACE_SECONDS = 1
_KEEP_ALIVE_SECONDS = 15
_BACKLOG = 4_096
_SWITCH_SECONDS = 0.001
"""How long a thread that calculates keeps the event loop waiting; Python's own is five times it."""


def server_of(app: FastAPI, host: str, port: int) -> Server:
    """Return what serves `app`; it is not started yet."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    protocol: Any = partial(LimitedProtocol, crowd=Crowd(most_connections()))
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Server(config, app.state.hub)
