"""A TCP proxy that does to commands what networks do."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import Counter, deque
from enum import StrEnum
from typing import Self

_CHUNK = 1 << 20


class Fault(StrEnum):
    """What a FaultProxy can do to a command."""

    LOST_REQUEST = "lost request"
    """Cut before anything reaches the server."""
    TORN_REQUEST = "torn request"
    """Cut after half of it."""
    LOST_REPLY = "lost reply"
    """Executed, then cut before the reply."""
    TORN_REPLY = "torn reply"
    """Executed, then cut within the reply."""
    LATE_REQUEST = "late request"
    """Reaches the server only after the client has given up; no reply."""
    REPEATED_REQUEST = "repeated request"
    """Executed twice: a proxy that asks again by itself."""
    HALF_OPEN = "half open"
    """Vanishes, and nobody is told; see `half_open`."""


class FaultProxy:
    """A TCP proxy on 127.0.0.1 in front of a server; without a plan it only passes bytes on.

    `plan` says which commands are struck, one after the other; `happened` counts those that were.
    """

    def __init__(self, target_port: int) -> None:
        self.happened: Counter[Fault] = Counter()
        self._target_port = target_port
        self._plans: deque[tuple[Fault, bytes]] = deque()
        self._dark_until = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads = [threading.Thread(target=self._accept, name="fault-proxy", daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Port to connect to."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """URL to connect to."""
        return f"redis://127.0.0.1:{self.port}"

    def plan(self, fault: Fault, *, times: int = 1, word: bytes = b"EVALSHA") -> None:
        """Strike the next `times` commands that hold `word`."""
        with self._lock:
            self._plans.extend([(fault, word)] * times)

    @property
    def planned(self) -> int:
        """Faults that were planned and did not happen yet."""
        with self._lock:
            return len(self._plans)

    def half_open(self, seconds: float) -> None:
        """Swallow for `seconds` from now what is sent; what lost bytes stays dead for ever."""
        self._dark_until = time.monotonic() + seconds

    def close(self) -> None:
        """Cut every connection and stop listening."""
        self._closed.set()
        with socket.socket() as wake:
            wake.connect_ex(("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closed.is_set():
                client.close()
                return
            thread = threading.Thread(
                target=self._serve, args=(client,), name="fault-proxy", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket() as server:
            try:
                if self._is_dark():
                    self._swallow(client)
                    return
                server.connect(("127.0.0.1", self._target_port))
                self._pass_on(client, server)
            except OSError:
                return

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        struck: Fault | None = None
        said = b""  # of what is to be repeated
        talking = [client, server]
        while ready := self._readable(*talking):
            if client in ready:
                request = client.recv(_CHUNK)
                struck = struck or self._strike(request)
                if not request and struck in {Fault.LOST_REPLY, Fault.TORN_REPLY}:
                    talking.remove(client)  # it gave up first; the reply is still to be lost
                    continue
                if not request or self._spoils_request(struck, request, client, server):
                    return
                said = said + request if struck is Fault.REPEATED_REQUEST else b""
                server.sendall(request)
            if server in ready:
                reply = server.recv(_CHUNK)
                if struck is Fault.REPEATED_REQUEST:
                    self._repeat(said)
                    struck = None
                if not reply or self._spoils_reply(struck, reply, client):
                    return
                client.sendall(reply)

    def _spoils_request(
        self, fault: Fault | None, request: bytes, client: socket.socket, server: socket.socket
    ) -> bool:
        if self._is_dark():
            self._swallow(client)
            return True
        if fault not in {Fault.LOST_REQUEST, Fault.TORN_REQUEST, Fault.LATE_REQUEST}:
            return False
        if fault is Fault.TORN_REQUEST:
            server.sendall(request[: len(request) // 2])
        if fault is Fault.LATE_REQUEST:
            while self._readable(client) and (more := client.recv(_CHUNK)):
                request += more
            server.sendall(request)
            server.shutdown(socket.SHUT_WR)
            while server.recv(_CHUNK):
                pass
        self.happened[fault] += 1
        return True

    def _spoils_reply(self, fault: Fault | None, reply: bytes, client: socket.socket) -> bool:
        if self._is_dark():
            self._swallow(client)
            return True
        if fault is None:
            return False
        self.happened[fault] += 1
        if fault is Fault.TORN_REPLY:
            client.sendall(reply[: max(1, len(reply) // 2)])
        return True

    def _repeat(self, request: bytes) -> None:
        """Have a request, which was answered just now, come once more, and wait for its answer."""
        with socket.create_connection(("127.0.0.1", self._target_port)) as again:
            again.sendall(request)
            self._readable(again)
        self.happened[Fault.REPEATED_REQUEST] += 1

    def _swallow(self, client: socket.socket) -> None:
        self.happened[Fault.HALF_OPEN] += 1
        while self._readable(client) and client.recv(_CHUNK):
            pass

    def _strike(self, request: bytes) -> Fault | None:
        with self._lock:
            if self._plans and self._plans[0][1] in request:
                return self._plans.popleft()[0]
        return None

    def _is_dark(self) -> bool:
        return time.monotonic() < self._dark_until

    def _readable(self, *sockets: socket.socket) -> list[socket.socket]:
        while not self._closed.is_set():
            if ready := select.select(sockets, [], [], 0.05)[0]:
                return ready
        return []
