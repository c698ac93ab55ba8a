"""Signals: told where a lock may be taken, and what they raise told from trouble of our own."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


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


def is_plugins_own(error: BaseException) -> bool:
    """Tell whether what our code raised is for the plugin, which it interrupted us to reach.

    That is what a signal's handler raises, be it a TimeoutError, Ctrl-C, and what stops a task or
    a generator. Everything else, SystemExit too, comes from what our code called: it is trouble of
    reporting, which is never the plugin's.
    """
    if not isinstance(error, (Exception, SystemExit)):
        return True
    trace = error.__traceback__
    while trace is not None:
        if _is_handler(trace.tb_frame):
            return True
        trace = trace.tb_next
    return False


@contextmanager
def broken_pipe_raises() -> Iterator[None]:
    """Have a broken pipe raise also where the plugin lets it end the process: by its own writes."""
    if signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN:  # as Python has it
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before and signal.SIGPIPE in signal.sigpending():
            signal.sigwait({signal.SIGPIPE})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_handler(frame: FrameType) -> bool:
    """Tell a signal's handler by its arguments: one of them is the frame that it interrupts."""
    interrupted = frame.f_back
    if interrupted is None:
        return False
    for value in list(frame.f_locals.values()):
        if value is interrupted or (type(value) is tuple and any(v is interrupted for v in value)):
            return True
    return False
