"""The API as a process, to be started, told to leave and killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from synapse_stream.settings import PREFIX
from tests.servers import free_port, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings


class ApiProcess:
    """`python -m consumers.api`, on the same port after each start."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.port = free_port()
        self._log = log
        shown = settings.model_dump(exclude_none=True)
        named = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
        self._environ = {**os.environ, **named}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it wrote to its standard error."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start it, and wait until it takes connections."""
        command = [sys.executable, "-m", "consumers.api", "--port", str(self.port)]
        with self._log.open("ab") as file:
            self._process = subprocess.Popen(command, env=self._environ, stderr=file)
        wait_until(self._listens)
        return self

    def stop(self) -> int:
        """Send SIGTERM and wait; return its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def kill(self) -> bool:
        """Send SIGKILL; return False when it had ended before."""
        assert self._process is not None
        self._process.kill()
        return self._process.wait() == -signal.SIGKILL

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the API ended: {self.log}"
        with socket.socket() as probe:
            return not probe.connect_ex(("127.0.0.1", self.port))
