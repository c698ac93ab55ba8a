"""How answers leave: compressed where that pays, in slices, and not too much at once in memory.

A large answer that lies ready waits for its reader; all of them together get so many bytes, and who
comes later is told to ask again.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import zstandard
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders

from consumers.api.problems import Problem
from consumers.api.shares import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST_TO_COMPRESS = 1_024

_SLICE_BYTES = 64 * 1024
_LITTLE_BYTES = 8 * 1024
_LARGE_BYTES = 256 * 1024
_MOST_BYTES = 256 * 1024 * 1024
_LEVEL = 1
_BARE = frozenset({204, 304})
"""Answers without a body, to which not even the frame of a compressed nothing belongs."""
_COMPRESSIBLE = re.compile(
    r"application/(problem\+)?json|application/x-ndjson|text/(?!event-stream)"
)
_REFUSED = re.compile(r"q=0(\.0*)?$")


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes:
        """Take bytes; return what is ready."""

    def flush(self) -> bytes:
        """Return the rest."""


class Budget:
    """Bytes that answers may hold while they wait for readers; those of one client half of them."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._left = most
        self._share = most // 2
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self, client: str, size: int) -> Iterator[None]:
        """Hold `size` bytes, or all that a client may have.

        Raises:
            Problem: others hold too much, or the client itself.
        """
        size = min(size, self._share)
        if self._left < size or self._held[client] + size > self._share:
            detail = "too many large answers wait for clients that do not read them"
            retry = {"Retry-After": "2"}
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry)
        self._left -= size
        self._held[client] += size
        try:
            yield
        finally:
            self._left += size
            self._held[client] -= size
            self._held += Counter()  # without those that hold nothing


class Outlet:
    """Compresses and slices what the application answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._budget = Budget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; what comes back goes through a pipe."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        pipe = _Pipe(scope, receive, send, self._budget)
        await self._app(scope, receive, pipe.send)


class _Pipe:
    """The way of one answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, budget: Budget) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._budget = budget
        self._start: Message | None = None
        self._compressor: _Compressor | None = None

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        if message["type"] == "http.response.start":
            self._start = message
            if "content-length" not in Headers(raw=message["headers"]):
                await self._begin(message, is_long=True)  # what follows is made bit by bit
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, has_more = message.get("body", b""), message.get("more_body", False)
        if len(body) < _LARGE_BYTES or self._start is None:
            await self._pass(body, has_more=has_more)
            return
        try:
            with self._budget.hold(client_of(self._scope), len(body)):
                await self._pass(body, has_more=has_more)
        except Problem as problem:
            answer = problem.response(self._scope["path"])
            await answer(self._scope, self._receive, self._send)

    async def _pass(self, body: bytes, *, has_more: bool) -> None:
        if self._start is not None:
            await self._begin(self._start, is_long=len(body) >= SMALLEST_TO_COMPRESS)
        if self._compressor is not None:
            body = await _compressed(self._compressor, body, is_last=not has_more)
        view = memoryview(body)
        while len(view) > _SLICE_BYTES:
            await self._write(bytes(view[:_SLICE_BYTES]), has_more=True)
            view = view[_SLICE_BYTES:]
        await self._write(bytes(view), has_more=has_more)

    async def _begin(self, start: Message, *, is_long: bool) -> None:
        self._start = None
        headers = MutableHeaders(scope=start)
        if (
            is_long
            and start["status"] not in _BARE
            and _COMPRESSIBLE.match(headers.get("content-type", ""))
        ):
            headers.add_vary_header("Accept-Encoding")
            coding = coding_of(Headers(scope=self._scope).get("accept-encoding", ""))
            if coding and "content-encoding" not in headers:
                self._compressor = _compressor(coding)
                headers["Content-Encoding"] = coding
                del headers["Content-Length"]
        await self._send(start)

    async def _write(self, body: bytes, *, has_more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": has_more})


def coding_of(accepted: str) -> str | None:
    """Return how a client's answers are to be compressed; None for not at all."""
    codings = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        codings[name.strip()] = not _REFUSED.match(weight.strip())
    return next((name for name in ("zstd", "gzip") if codings.get(name)), None)


def _compressor(coding: str) -> _Compressor:
    if coding == "zstd":
        return zstandard.ZstdCompressor(_LEVEL).compressobj()
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)


async def _compressed(compressor: _Compressor, body: bytes, *, is_last: bool) -> bytes:
    """Compress; all but little apart from the event loop, slice by slice."""

    def compress() -> bytes:
        parts = [
            compressor.compress(body[begin : begin + _SLICE_BYTES])
            for begin in range(0, len(body), _SLICE_BYTES)
        ]
        return b"".join([*parts, compressor.flush() if is_last else b""])

    return compress() if len(body) <= _LITTLE_BYTES else await run_in_threadpool(compress)
