"""How a process left its run: scripts run by an interpreter of one's choice, and what they leave.

Set ENDINGS_PYTHON to run them by another interpreter than the one that runs the tests; it needs
what a plugin needs. `make endings` does that for all that are there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from synapse_stream import JobStream
from synapse_stream.events.types import End, Event, RecordedEvent

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence

    from synapse_stream.settings import Settings

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("ENDINGS_PYTHON", sys.executable)
HEAD = """
import multiprocessing, os, signal, sys, threading, time
from synapse_stream import open_run

def wait_for_signal():
    ctx.log_message("waiting")
    print("ready", flush=True)
    be_interrupted()

def be_interrupted():
    while True:  # a signal that comes just before a sleep begins does not end it
        time.sleep(0.05)

"""


def need(module: str) -> None:
    """Skip the test when the interpreter that runs the scripts lacks a module."""
    done = subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{PYTHON} has no {module}")


class Left(NamedTuple):
    """How a process was left, and what its job's stream then holds."""

    code: int
    stdout: str
    stderr: str
    recorded: list[RecordedEvent]

    @property
    def events(self) -> list[Event]:
        return [found.event for found in self.recorded]

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    @property
    def ends(self) -> list[End]:
        """Every end of a rank; parts of it that left before are none."""
        return [e for e in self.events if isinstance(e, End) and e.status is not None]

    @property
    def end(self) -> End:
        """The one end of the run."""
        (end,) = self.ends
        return end

    @property
    def messages(self) -> list[str]:
        return [event.model_dump()["content"] for event in self.events if event.type == "message"]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.type == kind]


class Leaving:
    """Runs scripts that report to job-1 of a server.

    Called with a script: run it, send it a signal once it has said that it is ready, wait for its
    end.
    """

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self.directory = directory
        self._files = 0

    def __call__(self, script: str, number: signal.Signals | None = None, **environ: str) -> Left:
        return self.run(["-c", HEAD + textwrap.dedent(script)], number, **environ)

    def file(self, script: str, *arguments: str, **environ: str) -> Left:
        """Run the script as a file that children can import."""
        return self.run([str(self.write(script)), *arguments], None, **environ)

    def write(self, script: str) -> Path:
        """Write the script to a file."""
        self._files += 1
        path = self.directory / f"plugin_{self._files}.py"
        path.write_text(HEAD + textwrap.dedent(script))
        return path

    def run(
        self,
        arguments: Sequence[str],
        number: signal.Signals | None = None,
        *,
        text: str = "",
        **environ: str,
    ) -> Left:
        """Run the interpreter; what it reads is `text`."""
        with self.start(arguments, **environ) as process:
            try:
                if number is not None:
                    self.await_ready(process)
                    process.send_signal(number)
                stdout, stderr = process.communicate(text, timeout=50)
            finally:
                process.kill()
        return Left(process.returncode, stdout, stderr, self.recorded())

    def start(self, arguments: Sequence[str], **environ: str) -> subprocess.Popen[str]:
        """Start the interpreter."""
        return subprocess.Popen(
            [PYTHON, *arguments],
            cwd=self.directory,
            env={**os.environ, **self.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def environ(self) -> dict[str, str]:
        """What leads a process to the server and the spool of this test."""
        return {
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "SYNAPSE_STREAM_REDIS_URL": str(self.settings.redis_url),
            "SYNAPSE_STREAM_NAMESPACE": self.settings.namespace,
            "SYNAPSE_STREAM_DATA_DIR": str(self.settings.data_dir),
            "SYNAPSE_STREAM_MEMORY_DIR": str(self.settings.memory_dir),
            "SYNAPSE_STREAM_CONNECT_SECONDS": "30",
            "SYNAPSE_STREAM_EXIT_WAIT_SECONDS": "30",
        }

    def await_ready(self, process: subprocess.Popen[str]) -> None:
        """Wait until the script has said that it is ready."""
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]

    def recorded(self) -> list[RecordedEvent]:
        """Return what the job's stream holds."""
        return list(JobStream("job-1", self.settings).read())

    def await_recorded(self, kind: str, seconds: float = 40.0) -> Event:
        """Wait for an event in the stream and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for found in self.recorded():
                if found.event.type == kind:
                    return found.event
            time.sleep(0.02)
        msg = f"no {kind} in the stream: {[found.event.type for found in self.recorded()]}"
        raise AssertionError(msg)
