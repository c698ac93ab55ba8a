"""Connections that cost nothing for long: uvicorn's protocol, with limits that it lacks.

By itself it would collect the headers of a request without end, keep a connection on which nothing
comes for ever, take connections until the process has no files left, and write to a client that
reads nothing as long as that likes.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from consumers.api.endless import is_endless
from consumers.api.faults import TEAR

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Message, Receive, Scope, Send
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from consumers.api.crowd import Crowd
    from consumers.api.turns import Turns

LARGEST_HEAD = 64 * 1024

_REQUEST_SECONDS = 15.0
"""From its first byte, or on a new connection from its begin, until a request must be whole."""
_STALL_SECONDS = 60.0
_FILES_OF_OURS = 256
_MOST_FILES = 65_536
_SEND_BUFFER = 256 * 1024
"""Bytes that the system holds for one slow reader; by itself it would hold some megabytes."""
_WRITE_BUFFER = 16 * 1024
"""Bytes beyond which nothing more is written, until the reader has taken some."""
_MOST_PIPELINED = 32
_HEALTH = "/healthz"
_OLD_VERSION = "1.0"
_M_ARENA_MAX, _ARENAS = -8, 2
_M_MMAP_THRESHOLD, _MAPPED_BYTES = -3, 128 * 1024


def most_connections() -> int:
    """Have as many files as this process may have; return how many may be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    files = wanted if soft == resource.RLIM_INFINITY else soft
    return max(_FILES_OF_OURS, files - _FILES_OF_OURS)


def spare_memory() -> None:
    """Have memory go back that is not used any more.

    By itself glibc keeps for each thread what it had most of, and keeps large blocks among small
    ones once a larger one was freed; Arrow's allocator does the first, too.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with suppress(OSError, AttributeError):
        glibc = ctypes.CDLL(None)
        glibc.mallopt(_M_ARENA_MAX, _ARENAS)
        glibc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection on which a request does not come to its end, however slowly it comes."""

    _heads = 0
    _is_in_head = True
    _head_bytes = 0
    _due: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def __init__(self, *, crowd: Crowd, turns: Turns, **given: Any) -> None:
        super().__init__(**given)
        self._crowd = crowd
        self._turns = turns

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if there is room."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(_WRITE_BUFFER)
        with suppress(OSError):
            own = transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if self._crowd.enter(self):
            self._due = self.loop.call_later(_REQUEST_SECONDS, self.leave)
        else:
            self._refuse(503, "Service Unavailable", "too many connections are open; try again")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._crowd.forget(self)
        for timer in (self._due, self._stall):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def cut(self) -> None:
        """Close at once: what is to be written nobody reads."""
        self.transport.abort()

    def leave(self) -> None:
        """Close: no request came, or only a part of one, which is told."""
        if self.transport.is_closing():
            return
        if self._head_bytes or not self._is_in_head:
            said = f"the request did not come to its end within {_REQUEST_SECONDS:g} s"
            self._refuse(408, "Request Timeout", said)
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Count what came as long as no headers are complete."""
        heads, was_in_head = self._heads, self._is_in_head
        if self._due is None and was_in_head:
            self._due = self.loop.call_later(_REQUEST_SECONDS, self.leave)
        super().data_received(data)
        is_all_head = was_in_head and self._is_in_head and self._heads == heads
        if is_all_head and not self.transport.is_closing():  # no end of a body, however large
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self.send_400_response(f"The headers are larger than {LARGEST_HEAD} bytes.")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; an answer that is being written is not mixed with that."""
        if self._is_answering:
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """Begin a request, unless too many wait behind the one that is being answered."""
        if len(self.pipeline) >= _MOST_PIPELINED:
            msg = "too many requests were sent before the answers to others"
            raise ValueError(msg)
        super().on_message_begin()

    def on_headers_complete(self) -> Any:
        """Go on: the guard judges what came."""
        self._heads += 1
        self._is_in_head = False
        self._head_bytes = 0
        self.scope["state"][TEAR] = self.transport.abort
        return super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Have the request begin when it is its client's turn; who asks for health has another."""
        if cycle.scope["http_version"] == _OLD_VERSION:
            app = partial(_by_closing, app, cycle)
        address = self.client[0] if self.client else ""
        whose = f"{address} {_HEALTH}" if cycle.scope["path"] == _HEALTH else address
        self._turns.take(whose, partial(self._begin, cycle, app))

    def _begin(self, cycle: RequestResponseCycle, app: Any) -> None:
        if not cycle.disconnected:
            super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> Any:
        """Wait for the head of the next request."""
        self._is_in_head = True
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._crowd.work(self)
        return super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the client, unless it has sent another request already."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._crowd.wait(self)

    def pause_writing(self) -> None:
        """Begin to watch whether the client reads at all."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())
        if not self._is_endless:
            self._crowd.stall(self)

    def resume_writing(self) -> None:
        """Go on: it reads."""
        super().resume_writing()
        self._crowd.flow(self)
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _watch(self, size: int) -> None:
        self._stall = self.loop.call_later(_STALL_SECONDS, self._judge, size)

    def _judge(self, before: int) -> None:
        """Cut a client off that has read nothing since; but never from a live stream."""
        size = self.transport.get_write_buffer_size()
        if size < before or self._is_endless:
            self._watch(size)
        else:
            self.cut()

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def _is_endless(self) -> bool:
        return self._is_answering and is_endless(self.cycle.scope)

    def _refuse(self, status: int, title: str, detail: str) -> None:
        content = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        body = orjson.dumps(content)
        head = (
            f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nretry-after: 2\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


async def _by_closing(
    app: Any, cycle: RequestResponseCycle, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one who knows no chunks: what is long ends with the connection."""
    cycle.chunked_encoding = False

    async def send_counted(message: Message) -> None:
        cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    await app(scope, receive, send_counted)
