"""Signals that ask a process of ours to do something, told where a lock may be taken."""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def on_signals(do: Callable[[int], object], *numbers: int) -> None:
    """Have a thread call `do` with the number of each signal that comes, one after the other.

    A handler interrupts the main thread anywhere, also between taking and giving back the lock of
    an Event, and a second signal interrupts the handler of the first: to set that Event there could
    wait for ever. Putting into a SimpleQueue never does.

    Args:
        do: may take its time; it ends with the process.
        numbers: of the signals; whatever handled them before does so no more.
    """
    arrived: SimpleQueue[int] = SimpleQueue()

    def tell() -> None:
        while True:
            do(arrived.get())

    for number in numbers:
        signal.signal(number, lambda taken, _: arrived.put(taken))
    threading.Thread(target=tell, name="signals", daemon=True).start()
