"""A plugin under test: a process of its own that reports until it is stopped, ended or killed.

`python -m tests.support.scenes.plugin ROLE` with settings from the environment, as any plugin has
them.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import orjson

from synapse_stream.reporting.run import open_run
from tests.support.scenes import calls
from tests.support.scenes.witness import Witness

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext

EXCEPTION = 70
"""Exit status of a plugin that saw an exception of a report call."""


@dataclass(frozen=True)
class Role:
    """What the plugin is to do."""

    module: ClassVar[str] = "tests.support.scenes.plugin"
    """What is run; it is given the role as its argument."""

    job: str
    home: str
    """Directory of its witness and its log."""
    worker: str = "0"
    """First part of its voices' names."""
    rank: int | None = 0
    threads: int = 1
    limit: int = 0
    """Calls of each voice; 0: until asked to stop."""
    pause: float = 0.0
    """Seconds between the calls of a voice."""
    weight: int = 10
    """Size of the events' padding, see `calls`."""
    forks: tuple[str, ...] = ()
    """How each forked child ends: `_exit`, `exit` or `multiprocessing`."""
    fork_limit: int = 200
    """Calls of each forked child."""

    @property
    def voices(self) -> list[str]:
        """Names of all voices, in the order of the witness."""
        mine = [f"{self.worker}.{number}" for number in range(self.threads)]
        return mine + [f"{self.worker}.fork{number}" for number in range(len(self.forks))]

    @property
    def witness_path(self) -> Path:
        """Where the witness is."""
        return Path(self.home, f"witness-{self.worker}")

    @property
    def log_path(self) -> Path:
        """Where the lines go that the library logs."""
        return Path(self.home, f"log-{self.worker}")

    def dump(self) -> str:
        """Return the command line argument."""
        return orjson.dumps(asdict(self)).decode()


class Plugin:
    """Makes the calls of a role."""

    def __init__(self, role: Role, context: RuntimeContext) -> None:
        self._role = role
        self._context = context
        self.witness = Witness(role.witness_path)
        self.has_failed = False

    def run(self) -> None:
        """Make all calls, those of forked children too."""
        threads = [
            threading.Thread(target=self.speak, args=(voice, self._role.limit))
            for voice in range(self._role.threads)
        ]
        for thread in threads:
            thread.start()
        for number, ending in enumerate(self._role.forks, self._role.threads):
            self._fork(number, ending)
        for thread in threads:
            thread.join()
        self.witness.end()

    def speak(self, voice: int, limit: int) -> None:
        """Make the calls of one voice."""
        name = self._role.voices[voice]
        number = 0
        try:
            while number < (limit or sys.maxsize) and not self.witness.is_stopping:
                self.witness.begin(voice, number)
                calls.make(self._context, name, number, self._role.weight)
                self.witness.finish(voice, number)
                self.pause(voice, number)
                number += 1
        except BaseException:  # noqa: BLE001 - none may come out of a report call
            self.has_failed = True
            traceback.print_exc()

    def pause(self, voice: int, number: int) -> None:
        """Wait after call `number` of a voice."""
        if self._role.pause:
            time.sleep(self._role.pause)

    def _fork(self, voice: int, ending: str) -> None:
        if ending == "multiprocessing":
            fork = multiprocessing.get_context("fork")
            process = fork.Process(target=self.speak, args=(voice, self._role.fork_limit))
            process.start()
            process.join()
            self.has_failed |= process.exitcode != 0
            return
        child = os.fork()
        if child == 0:
            self.speak(voice, self._role.fork_limit)
            if ending == "_exit":
                os._exit(EXCEPTION if self.has_failed else 0)
            sys.exit(EXCEPTION if self.has_failed else 0)
        self.has_failed |= os.waitpid(child, 0)[1] != 0


def main() -> int:
    """Run the plugin; 70 when a report call raised anything."""
    role = Role(**orjson.loads(sys.argv[1]))
    sys.setswitchinterval(1e-5)  # threads take turns wherever they can, so that races show
    logging.basicConfig(filename=role.log_path, format="%(levelname)s %(message)s")
    with open_run(role.job, rank=role.rank) as context:
        plugin = Plugin(role, context)
        plugin.run()
    return EXCEPTION if plugin.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
