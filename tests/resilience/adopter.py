"""An adopter that dies of SIGKILL: `python -m tests.resilience.adopter APPENDS MILLISECONDS`.

It is killed so long after its append number APPENDS; 0 ms is before it has even seen the answer.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adoption.adopt import adopt_all
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from synapse_stream.entries.answers import Ack
    from synapse_stream.entries.batch import Batch
    from synapse_stream.log.event_log import EventLog


def main() -> None:
    """Adopt what is there, as far as it goes."""
    settings = Settings.load()
    appends, milliseconds = int(sys.argv[1]), float(sys.argv[2])
    done = 0

    def open_doomed_log() -> EventLog:
        log = open_log(settings)
        append = log.append

        def append_and_die(batch: Batch) -> Ack:
            nonlocal done
            ack = append(batch)
            done += 1
            if done == appends:
                _die_in(milliseconds)
            return ack

        log.append = append_and_die  # type: ignore[method-assign]
        return log

    adopt_all(settings, open_doomed_log)
    if done >= appends:
        signal.pause()  # it was quick: death comes a little later


def _die_in(milliseconds: float) -> None:
    if milliseconds:
        threading.Timer(milliseconds / 1000, _die).start()
    else:
        _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
