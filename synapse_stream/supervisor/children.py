"""What is supervised: programs of ours, and the embedded server."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import orjson

from synapse_stream.saying.text import one_line
from synapse_stream.system.leash import leashed
from synapse_stream.system.private import make_file, make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from synapse_stream.log.server import EmbeddedServer

_MIB = 1024 * 1024
_TAIL_BYTES = 4_000
_LONGEST_WORDS = 300
_WRONG_SETTINGS = 2  # exit status of our programs


class Child(Protocol):
    """One process that a supervisor looks after."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def is_running(self) -> bool:
        """Whether it lives."""

    def start(self) -> None:
        """Start it; again when it has ended.

        Raises:
            OSError, ConfigError: it cannot be started.
        """

    def ask_to_stop(self) -> None:
        """Have it end in order; return at once."""

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it still runs then."""

    def kill(self) -> None:
        """End it, and wait for that."""

    def obituary(self) -> str:
        """Return how it ended, in one line."""

    def is_refusing(self) -> bool:
        """True when it ended because its settings are wrong: starting it again is of no use."""


class Program:
    """A program whose output goes to a log file, the newest mebibyte or two of it."""

    def __init__(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; again when it has ended."""
        make_folder(self.log.parent)
        make_file(self.log)
        with suppress(FileNotFoundError):
            if self.log.stat().st_size > _MIB:
                self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a command of ours
                leashed(self._command),
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it still runs then."""
        with suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(seconds)
        return not self.is_running

    def kill(self) -> None:
        """Send SIGKILL, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def obituary(self) -> str:
        """Return how it ended; when by itself, with the last that it logged."""
        status = self._process.returncode if self._process else None
        if status is None:
            return f"{self.name} does not run"
        if status < 0:
            return f"{self.name} was ended by {signal.Signals(-status).name}"
        words = self.last_words()
        return f"{self.name} ended with status {status}" + (f": {words}" if words else "")

    def is_refusing(self) -> bool:
        """True when it ended because its settings are wrong."""
        return self._process is not None and self._process.returncode == _WRONG_SETTINGS

    def last_words(self) -> str:
        """Return the last line of its log, cut; of a logged error what it was."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                lines = log.read().splitlines()
        except OSError:
            return ""
        return one_line(_told(lines[-1]))[:_LONGEST_WORDS] if lines else ""


class ServerChild:
    """The embedded server. It is left running when somebody else started it."""

    name = "server"

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server

    @property
    def is_running(self) -> bool:
        """Whether it lives."""
        return self._server.is_running

    def start(self) -> None:
        """Start it, or find the one that runs; return when it answers."""
        self._server.start()

    def ask_to_stop(self) -> None:
        """Do nothing: who waits for it stops it."""

    def wait(self, seconds: float) -> bool:  # noqa: ARG002 - the server has a limit of its own
        """Stop it; it saves all that it has."""
        self._server.stop()
        return True

    def kill(self) -> None:
        """Stop it, which takes no longer than it has to."""
        self._server.stop()

    def obituary(self) -> str:
        """Return that it ended, and where it said why."""
        return f"server ended; see {self._server.data_dir / 'server' / 'server.log'}"

    def is_refusing(self) -> bool:
        """Return False: it has no settings of the user's."""
        return False


def _told(line: bytes) -> str:
    try:
        logged = orjson.loads(line)
        error: str = logged.get("error", "").strip()
        return error.rpartition("\n")[2] or str(logged["message"])
    except (ValueError, KeyError, AttributeError):
        return line.decode(errors="replace")
