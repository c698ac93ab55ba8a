"""Clients of live streams: plain sockets, so that a test says when one reads and when it leaves."""

from __future__ import annotations

import select
import socket
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import quote

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PATIENCE_SECONDS = 30.0
_RECEIVE = 1 << 18


class Sent(NamedTuple):
    """One event of a stream, as EventSource would give it."""

    event: str
    id: str | None
    data: Any


class Told(NamedTuple):
    """A recorded event, as a client got it."""

    position: str
    producer: str
    line: bytes


class Reader:
    """One client. `last_id` survives a disconnect, and the next `connect` resumes behind it."""

    def __init__(
        self,
        port: int,
        job: str | None,
        *,
        after: str | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        buffer_bytes: int | None = None,
    ) -> None:
        """Follow `job`, or the list of jobs."""
        self.port = port
        self.path = "/api/live" if job is None else f"/api/jobs/{quote(job, safe='')}/live"
        self.after = after
        self.query = query
        self.headers = dict(headers or {})
        self.last_id: str | None = None
        self.status = 0
        self.head = ""
        self.sent: list[Sent] = []
        self.events: list[Told] = []
        """What came since the last reset."""
        self.all_events: list[Told] = []
        self.has_begun = False
        """True when the stream has begun: what changes now will come."""
        self.comments = 0
        self.connects = 0
        self.is_over = False
        """True when the server has ended the stream in good order."""
        self._buffer_bytes = buffer_bytes
        self._socket: socket.socket | None = None
        self._raw = b""
        self._text = b""

    def connect(self) -> Self:
        """Ask for the stream, behind `last_id` if there is one."""
        self._raw = self._text = b""
        self.status, self.has_begun, self.is_over = 0, False, False
        one = socket.socket()
        if self._buffer_bytes:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer_bytes)
        one.connect(("127.0.0.1", self.port))
        asked = (self.query, f"after={self.after}" if self.after is not None else "")
        query = f"?{'&'.join(filter(None, asked))}" if any(asked) else ""
        head = {"Host": f"127.0.0.1:{self.port}", **self.headers}
        if self.last_id is not None:
            head["Last-Event-ID"] = self.last_id
        lines = [f"GET {self.path}{query} HTTP/1.1", *(f"{k}: {v}" for k, v in head.items())]
        one.sendall("\r\n".join([*lines, "", ""]).encode())
        self._socket = one
        self.connects += 1
        return self

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    def leave(self) -> None:
        """Disconnect without a word."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fileno(self) -> int:
        """Return the socket's, for select."""
        assert self._socket is not None
        return self._socket.fileno()

    def receive(self) -> None:
        """Read what is there, or wait for it; an end of the stream disconnects."""
        assert self._socket is not None
        data = b""
        with suppress(ConnectionError):
            data = self._socket.recv(_RECEIVE)
        if not data:
            self.leave()
            return
        self._raw += data
        if self.status == 0:
            self._take_head()
        self._take_chunks()
        if self.is_over:
            self.leave()

    def until(self, condition: Callable[[Self], Any], seconds: float = _PATIENCE_SECONDS) -> Self:
        """Read until `condition` holds; fail if it does not in time, or the stream ends."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            left = deadline - time.monotonic()
            assert left > 0, f"not within {seconds} s: {self}"
            assert self.is_connected, f"the stream ended: {self}"
            if select.select([self], [], [], min(left, 0.2))[0]:
                self.receive()
        return self

    def until_kinds(self, *kinds: str) -> Self:
        """Read until so many of each kind of event have come."""
        wanted = Counter(kinds)
        return self.until(lambda reader: not wanted - Counter(one.event for one in reader.sent))

    def until_the_end(self) -> Self:
        """Read until the stream ends, in good order or torn."""
        return self.until(lambda reader: not reader.is_connected)

    def of(self, kind: str) -> list[Any]:
        """Return the data of all events of one kind."""
        return [one.data for one in self.sent if one.event == kind]

    @property
    def kinds(self) -> list[str]:
        """The kinds of what came, in order."""
        return [one.event for one in self.sent]

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.leave()

    def __repr__(self) -> str:
        last = [*self.sent[-3:], self._text[-200:], self._raw[-200:]]
        return f"<{self.path} {self.status} {dict(Counter(self.kinds))} {last!r:.1500}>"

    def _take_head(self) -> None:
        head, found, rest = self._raw.partition(b"\r\n\r\n")
        if found:
            self.head, self._raw = head.decode(), rest
            self.status = int(self.head.split()[1])

    def _take_chunks(self) -> None:
        if self.status != 200:
            return
        parts = []
        while True:
            size, found, rest = self._raw.partition(b"\r\n")
            length = int(size, 16) if found else 0
            if not found or len(rest) < length + 2:
                break
            parts.append(rest[:length])
            self._raw = rest[length + 2 :]
            if length == 0:
                self.is_over = True
                break
        *whole, self._text = (self._text + b"".join(parts)).split(b"\n\n")
        for one in whole:
            self._take(one)

    def _take(self, text: bytes) -> None:
        assert b"\r" not in text
        fields = dict(line.split(b": ", 1) for line in text.split(b"\n"))
        if set(fields) <= {b"", b"retry"}:
            self.has_begun |= b"retry" in fields
            self.comments += b"" in fields
            return
        kind = fields[b"event"].decode()
        place = fields[b"id"].decode() if b"id" in fields else None
        data = orjson.loads(fields[b"data"])
        self.sent.append(Sent(kind, place, data))
        if place is not None:
            self.last_id = place
        if kind == "reset":
            self.events.clear()
        if kind == "event":
            assert place is not None
            assert place == data["position"]
            whose = {name: data[name] for name in ("producer", "attempt", "rank")}
            head = orjson.dumps({"position": place, **whose})[:-1]
            line = fields[b"data"][len(head) + len(b',"event":') : -1]
            self.events.append(Told(place, data["producer"], line))
            self.all_events.append(self.events[-1])


def pump(readers: Iterable[Reader], seconds: float) -> None:
    """Let readers read what comes within `seconds`."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        connected = [reader for reader in readers if reader.is_connected]
        if not connected:
            time.sleep(left)
            return
        for reader in select.select(connected, [], [], left)[0]:
            reader.receive()
