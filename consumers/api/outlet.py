"""How answers leave: compressed where that pays, in slices, and not too much at once in memory.

A large answer that lies ready waits for its reader; all of them together get so many bytes, and
those that come later wait or are told to ask again.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import zstandard
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders

from consumers.api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST_TO_COMPRESS = 1_024

_SLICE_BYTES = 64 * 1024
_LARGE_BYTES = 256 * 1024
_MOST_BYTES = 128 * 1024 * 1024
_WAIT_SECONDS = 20.0
_LEVEL = 1
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
    """Bytes that answers may hold while they wait for their readers."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._most = self._left = most
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes, or all that there are.

        Raises:
            Problem: too much was held by others for long.
        """
        size = min(size, self._most)
        try:
            async with asyncio.timeout(_WAIT_SECONDS), self._freed:
                await self._freed.wait_for(lambda: self._left >= size)
                self._left -= size
        except TimeoutError:
            detail = "too many large answers wait for clients that do not read them"
            retry = {"Retry-After": "2"}
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry) from None
        try:
            yield
        finally:
            self._left += size
            async with self._freed:
                self._freed.notify_all()


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
        coding = coding_of(Headers(scope=scope).get("accept-encoding", ""))
        pipe = _Pipe(send, coding, self._budget, scope["path"])
        await self._app(scope, receive, pipe.send)


class _Pipe:
    """The way of one answer."""

    def __init__(self, send: Send, coding: str | None, budget: Budget, path: str) -> None:
        self._send = send
        self._coding = coding
        self._budget = budget
        self._path = path
        self._start: Message | None = None
        self._compressor: _Compressor | None = None

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, has_more = message.get("body", b""), message.get("more_body", False)
        if len(body) < _LARGE_BYTES or self._start is None:
            await self._pass(body, has_more=has_more)
            return
        try:
            async with self._budget.hold(len(body)):
                await self._pass(body, has_more=has_more)
        except Problem as problem:
            await problem.response(self._path)({}, _nothing, self._send)

    async def _pass(self, body: bytes, *, has_more: bool) -> None:
        if self._start is not None:
            await self._begin(self._start, len(body), has_more=has_more)
        if self._compressor is not None:
            body = await _compressed(self._compressor, body, is_last=not has_more)
        view = memoryview(body)
        while len(view) > _SLICE_BYTES:
            await self._write(bytes(view[:_SLICE_BYTES]), has_more=True)
            view = view[_SLICE_BYTES:]
        await self._write(bytes(view), has_more=has_more)

    async def _begin(self, start: Message, size: int, *, has_more: bool) -> None:
        self._start = None
        headers = MutableHeaders(scope=start)
        is_text = _COMPRESSIBLE.match(headers.get("content-type", ""))
        if is_text and (has_more or size >= SMALLEST_TO_COMPRESS):
            headers.add_vary_header("Accept-Encoding")
            if self._coding and "content-encoding" not in headers:
                self._compressor = _compressor(self._coding)
                headers["Content-Encoding"] = self._coding
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
    """Compress; what is large apart from the event loop, slice by slice."""

    def compress() -> bytes:
        parts = [
            compressor.compress(body[begin : begin + _SLICE_BYTES])
            for begin in range(0, len(body), _SLICE_BYTES)
        ]
        return b"".join([*parts, compressor.flush() if is_last else b""])

    return compress() if len(body) <= _SLICE_BYTES else await run_in_threadpool(compress)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
