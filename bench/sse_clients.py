"""Clients of live streams: raw sockets in a process of their own, so that reading costs little."""

from __future__ import annotations

import multiprocessing
import re
import selectors
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

_MARK = b'"type":"metrics"'
_TIME = re.compile(rb'"event":\{"seq":\d+,"time":(\d+),"type":"metrics"')
_RECEIVE = 1 << 18
_PATIENCE_SECONDS = 120.0


class Clients:
    """So many clients of one job, ready to be read from."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def wait(self) -> None:
        """Return when every client has its snapshot."""
        self.hear()

    def hear(self) -> Any:
        """Return what the process found."""
        assert self._pipe.poll(_PATIENCE_SECONDS), "the clients do not answer"
        return self._pipe.recv()


@contextmanager
def clients(port: int, job_id: str, number: int, events: int) -> Iterator[Clients]:
    """Follow a job by `number` clients, until each has got `events` metrics events.

    What is heard in the end: how many each client got, and how late those of the first were, in ms.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_follow, args=(port, job_id, number, events, there), daemon=True)
    process.start()
    try:
        yield Clients(here)
    finally:
        process.join(1)
        process.kill()
        process.join()


def storm(port: int, job_id: str, number: int) -> None:
    """Let clients connect at once, get what a client gets first, and leave."""
    sockets = [_open(port, job_id) for _ in range(number)]
    for one in sockets:
        _read_snapshot(one)
    for one in sockets:
        one.close()


def _follow(port: int, job_id: str, number: int, events: int, pipe: Connection) -> None:
    sockets = [_open(port, job_id) for _ in range(number)]
    readers = selectors.DefaultSelector()
    for index, one in enumerate(sockets):
        _read_snapshot(one)
        one.setblocking(False)
        readers.register(one, selectors.EVENT_READ, index)
    pipe.send("ready")
    counts, tails, delays = [0] * number, [b""] * number, []
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while min(counts) < events and time.monotonic() < deadline:
        for key, _ in readers.select(1.0):
            index = key.data
            data = tails[index] + sockets[index].recv(_RECEIVE)
            counts[index] += data.count(_MARK)
            tails[index] = data[-(len(_MARK) - 1) :] if _MARK not in data[-len(_MARK) :] else b""
            if index == 0:
                now = time.time_ns() / 1e6
                delays += [now - int(match[1]) / 1e3 for match in _TIME.finditer(data)]
    pipe.send((counts, delays))


def _open(port: int, job_id: str) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port))
    head = f"GET /api/jobs/{job_id}/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    one.sendall(head.encode())
    return one


def _read_snapshot(one: socket.socket) -> None:
    one.settimeout(_PATIENCE_SECONDS)
    data = b""
    while b"event: snapshot\n" not in data or not data.endswith(b"\n\n\r\n"):
        more = one.recv(_RECEIVE)
        assert more, f"the stream ended: {data!r}"
        data += more
