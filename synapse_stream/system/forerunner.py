"""A process that goes on in the background as another one: the usual double fork of a daemon.

The one that opened the run is gone without ending it, and what has left its session is what it has
become. So that takes the run over, with the rank, instead of joining it.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple, Self

from synapse_stream.system.identity import is_running, started_at

_LONGEST_WAIT_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.01


class Forerunner(NamedTuple):
    """A process that may go on as another one."""

    pid: int
    started: int | None
    session: int

    @classmethod
    def of_this_process(cls) -> Self:
        """Return what a forked child needs to know of this process."""
        pid = os.getpid()
        return cls(pid, started_at(pid), os.getsid(0))

    def is_alive(self) -> bool:
        """Tell whether the other one runs."""
        return is_running(self.pid, self.started)

    def is_succeeded(self) -> bool:
        """Tell whether this process is what the other one has become.

        One that has left the session waits a moment: the other one is about to go.
        """
        if os.getsid(0) == self.session:
            return False
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_AGAIN_SECONDS)
        return True
