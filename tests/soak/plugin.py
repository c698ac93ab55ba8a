"""A process that reports one run after the other, at a steady rate, until SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading
import time

from synapse_stream import open_run
from synapse_stream.system.signals import on_signals


def main(name: str, rate: float, seconds_a_run: float) -> None:
    """Report `rate` events a second, in runs of so many seconds."""
    stop = threading.Event()
    on_signals(lambda _: stop.set(), signal.SIGTERM)
    number = 0
    while not stop.is_set():
        number += 1
        with open_run(f"{name}-{number}") as run:
            end = time.monotonic() + seconds_a_run
            event = 0
            while time.monotonic() < end and not stop.wait(1 / rate):
                event += 1
                run.set_metrics({"loss": 1 / event, "accuracy": event % 7 / 7})
                if event % 50 == 0:
                    run.log_message(f"{event} steps of run {number}")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
