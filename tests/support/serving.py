"""The application on a port of its own, in a thread of the test's process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from consumers.api.server import server_of
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

DEADLINE_SECONDS = 30.0


@contextmanager
def served(app: FastAPI, port: int | None = None) -> Iterator[int]:
    """Serve `app`, at a port that is free if none is named; yield its port."""
    port = port or free_port()
    server = server_of(app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    assert server.started
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


@contextmanager
def asked(app: FastAPI) -> Iterator[httpx.Client]:
    """Serve `app`; yield a client that asks it over HTTP."""
    with (
        served(app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_SECONDS) as client,
    ):
        yield client
