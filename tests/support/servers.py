"""Real servers and real faults for the tests.

with TestServer(tmp_path / "server") as server:     # a Valkey of its own files on a free port
    server.kill(); server.start()                   # SIGKILL; same files, same port: restart()
    server.freeze(); server.thaw()                  # SIGSTOP, SIGCONT
    server.save_files(copy); server.put_back(copy)  # an older AOF: it has lost its tail
    with FaultProxy(server.port) as proxy:          # proxy.url in place of server.url
        proxy.plan(Fault.LOST_REPLY, times=3)       # strikes the next three appends
        proxy.half_open(10)                         # for 10 s what is sent vanishes, unclosed
        proxy.happened[Fault.LOST_REPLY]            # what really happened
"""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError  # noqa: A004
from redis.retry import Retry

from synapse_stream.log.server import find_binary
from tests.support.faults import Fault, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["WRITES_FIRST", "Fault", "FaultProxy", "TestServer", "free_port", "wait_until"]

WRITES_FIRST = {"appendfsync": "no"}
"""Configures a server whose files have what it acknowledged, for tests that stand on that.

With everysec it answers first and writes later while an fsync is under way: SIGKILL, or a copy of
the files, may then lack what was acknowledged.
"""

_DEADLINE_SECONDS = 30.0


def wait_until(condition: Callable[[], Any], seconds: float = _DEADLINE_SECONDS) -> Any:
    """Return the first true value of `condition`; fail with what was last seen."""
    deadline = time.monotonic() + seconds
    while not (seen := condition()):
        if time.monotonic() > deadline:
            msg = f"not within {seconds} s; last seen: {seen!r}"
            raise AssertionError(msg)
        time.sleep(0.005)
    return seen


_claims: list[socket.socket] = []


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on.

    It lies below the ports that the system gives to outgoing connections, so that none of those can
    take it while a server is down. No other process of the tests gets it, as long as this one
    lives: it holds a socket of that name.
    """
    while True:
        port = random.SystemRandom().randint(10_000, 32_000)
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            claim.bind(f"\0synapse-stream-test-port-{port}")
            _claims.append(claim)
            return port
        claim.close()


class TestServer:
    """A server with AOF everysec and noeviction in `home`; `config` overrides or adds lines."""

    __test__ = False

    def __init__(
        self,
        home: Path,
        *,
        binary: str | None = None,
        config: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._binary = binary or find_binary()
        self._arguments = arguments
        self._config = {
            "bind": "127.0.0.1",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            **(config or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self, *, wait: bool = True) -> Self:
        """Start on the same files and port as before; return when it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        lines = {"port": self.port, "dir": self.home, "logfile": self.home / "log", **self._config}
        file = self.home / "server.conf"
        file.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        self._process = subprocess.Popen(
            [self._binary, file, *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        if wait:
            try:
                wait_until(self.is_answering)
            except BaseException:
                self.kill()
                raise
        return self

    def is_answering(self) -> bool:
        """Tell whether the server answers PING; fail if the process has ended."""
        assert self._process is not None
        assert self._process.poll() is None, (
            f"the server ended:\n{(self.home / 'log').read_text()[-2000:]}"
        )
        try:
            return self.command("PING") in {b"PONG", True}
        except (ConnectionError, TimeoutError, BusyLoadingError):
            return False

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it the orderly way: everything is on disk afterwards."""
        self._end(signal.SIGTERM)

    def restart(self, *, wait: bool = True) -> None:
        """SIGKILL, then start on the same files and port."""
        self.kill()
        self.start(wait=wait)

    def freeze(self) -> None:
        """Stop the process with SIGSTOP: connections stay open and nothing answers."""
        self._process_or_fail().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process run on."""
        self._process_or_fail().send_signal(signal.SIGCONT)

    def save_files(self, to: Path) -> None:
        """Copy the AOF as it is now; see WRITES_FIRST."""
        shutil.copytree(self.home / "appendonlydir", to, dirs_exist_ok=True)

    def put_back(self, copy: Path) -> None:
        """SIGKILL, replace the AOF by the older `copy`, start: the server has lost its tail."""
        self.kill()
        shutil.rmtree(self.home / "appendonlydir")
        shutil.copytree(copy, self.home / "appendonlydir")
        self.start()

    def catch_up_with(self, primary: TestServer) -> None:
        """Return when it has, as a replica, all that `primary` has now."""
        # not WAIT: that is about writes of the connection that it comes over
        end = primary.command("INFO", "replication")["master_repl_offset"]
        wait_until(lambda: self.command("INFO", "replication")["slave_repl_offset"] >= end)

    def client(self, **options: Any) -> Redis:
        """Return a client without retries; the caller closes it."""
        defaults: dict[str, Any] = {
            "port": self.port,
            "password": self._config.get("requirepass"),
            "socket_timeout": 5,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        return Redis(**{**defaults, **options})

    def command(self, *words: Any) -> Any:
        """Send one command over a connection of its own."""
        with self.client() as client:
            return client.execute_command(*words)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _process_or_fail(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server does not run"
        return self._process

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)
            process.wait()
