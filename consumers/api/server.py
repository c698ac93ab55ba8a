"""The HTTP server: uvicorn, with a limit that it lacks.

By itself it would collect the headers of a request without end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from consumers.api.live.leaving import Server

if TYPE_CHECKING:
    from fastapi import FastAPI

LARGEST_HEAD = 64 * 1024

_GRACE_SECONDS = 1
_KEEP_ALIVE_SECONDS = 15


def server_of(app: FastAPI, host: str, port: int) -> Server:
    """Return what serves `app`; it is not started yet."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=LimitedProtocol,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Server(config, app.state.hub)


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection on which the headers do not come to an end, however slowly they come."""

    _heads = 0
    _is_in_head = True
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Count what came as long as no headers are complete."""
        heads = self._heads
        super().data_received(data)
        if self._is_in_head and self._heads == heads and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self.send_400_response(f"The headers are larger than {LARGEST_HEAD} bytes.")

    def on_headers_complete(self) -> Any:
        """Go on: the guard judges what came."""
        self._heads += 1
        self._is_in_head = False
        self._head_bytes = 0
        return super().on_headers_complete()

    def on_message_complete(self) -> Any:
        """Wait for the head of the next request."""
        self._is_in_head = True
        return super().on_message_complete()
