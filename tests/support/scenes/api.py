"""The API as a process, to be started, told to leave and killed."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from consumers.api import __main__ as program
from synapse_stream.settings import PREFIX
from tests.support.scenes.stage import PROCESSES
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from synapse_stream.settings import Settings

# both: whichever scenario comes first starts the process that all others are forked from
PROCESSES.set_forkserver_preload(["tests.support.scenes.worker", __name__])


class ApiProcess:
    """`python -m consumers.api`, on the same port after each start."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.port = free_port()
        self._log = log
        shown = settings.model_dump(exclude_none=True, exclude_unset=True)
        self._environ = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
        self._process: BaseProcess | None = None

    def settle(self, name: str, text: str) -> None:
        """Have it started with one more setting, one that settings do not show."""
        self._environ[PREFIX + name] = text

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it wrote to its standard error."""
        return self._log.read_text()

    def start(self) -> Self:
        """Start it, and wait until it takes connections."""
        arguments = (self.port, self._environ, str(self._log))
        self._process = PROCESSES.Process(target=_serve, args=arguments)
        self._process.start()
        wait_until(self._listens)
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Send a signal and wait; return its exit status, None if it does not leave."""
        assert self._process is not None
        assert self._process.pid is not None
        os.kill(self._process.pid, number)
        self._process.join(20)
        return self._process.exitcode

    def kill(self) -> bool:
        """Send SIGKILL; return False when it had ended before."""
        assert self._process is not None
        self._process.kill()
        self._process.join()
        return self._process.exitcode == -signal.SIGKILL

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.is_alive(), f"the API ended: {self.log}"
        with socket.socket() as probe:
            return not probe.connect_ex(("127.0.0.1", self.port))


def _serve(port: int, environ: dict[str, str], log: str) -> None:
    """Be the program."""
    with Path(log).open("ab") as file:
        os.dup2(file.fileno(), 2)
    os.environ.update(environ)
    sys.exit(program.main(["--no-token", "--port", str(port)]))
