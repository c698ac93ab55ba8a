"""The application called in the test's own process: thousands of requests in seconds."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from fastapi import FastAPI


class Request(NamedTuple):
    """What is asked, as it travels."""

    method: str
    target: str
    """Path and query, encoded."""
    headers: dict[str, str]
    body: bytes = b""
    enough: tuple[bytes, ...] = ()
    """Of an answer without end: when one of these has come the client leaves."""
    address: str = "127.0.0.1"


class Answer(NamedTuple):
    """What came back, in the order in which it was asked."""

    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def started(app: FastAPI) -> AsyncIterator[None]:
    """Run what the application does from its start to its end."""
    async with app.router.lifespan_context(app):
        yield


async def call(app: FastAPI, request: Request) -> Answer:
    """Ask, and take the answer as far as it is wanted."""
    path, _, query = request.target.encode().partition(b"?")
    headers = {"host": "localhost", "content-length": str(len(request.body)), **request.headers}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path.decode(),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
        "client": (request.address, 4711),
        "server": ("localhost", 80),
        "state": {},
    }
    incoming = [{"type": "http.request", "body": request.body, "more_body": False}]
    is_gone = asyncio.Event()
    start: dict[str, Any] = {}
    body = bytearray()

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        body.extend(message.get("body", b""))
        if any(one in body for one in request.enough):
            is_gone.set()

    await app(scope, receive, send)
    found = {name.decode(): text.decode() for name, text in start["headers"]}
    return Answer(start["status"], found, bytes(body))


async def call_all(app: FastAPI, requests: Sequence[Request]) -> list[Answer]:
    """Ask many at once."""
    return await asyncio.gather(*(call(app, request) for request in requests))


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route that the application has, also of those not described.

    Raises:
        AttributeError: there is a route of another kind, which nobody here knows how to ask.
    """
    for route in app.routes:
        nested = getattr(route, "effective_candidates", None)  # a router that was included
        one: Any
        for one in nested() if nested else [route]:
            yield from ((method, one.path) for method in one.methods)
