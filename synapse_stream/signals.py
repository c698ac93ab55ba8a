"""Signals that ask a process of ours to do something, told where a lock may be taken."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def on_signals(do: Callable[[int], object], *numbers: int) -> None:
    """Have a thread call `do` with the number of each signal that comes, one after the other.

    A handler interrupts the main thread anywhere, also between taking and giving back the lock of
    an Event, and a second signal interrupts the handler of the first: to set that Event there could
    wait for ever. And it is called by the main thread only, which a signal that comes just before
    it begins to wait does not wake. The number is written to a pipe at once, whatever that does.

    Args:
        do: may take its time; it ends with the process.
        numbers: of the signals; whatever handled them before does so no more.
    """
    arrived, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in numbers:
        signal.signal(number, lambda *_: None)

    def tell() -> None:
        while True:
            for number in os.read(arrived, 1):
                if number in numbers:
                    do(number)

    threading.Thread(target=tell, name="signals", daemon=True).start()
