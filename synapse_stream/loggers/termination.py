"""SIGTERM and SIGHUP as an exception for the plugin, and at once as an event of its runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Protocol

from synapse_stream.loggers.ears import Ears
from synapse_stream.loggers.endings import Terminated

if TYPE_CHECKING:
    from types import FrameType

_ASK_TO_END = (signal.SIGTERM, signal.SIGHUP)
_HEARD_AGAIN_SECONDS = 1.0  # one signal is heard of in several pieces


class Run(Protocol):
    """What is told that the process was asked to end."""

    def mark_signal(self, name: str) -> None:
        """Remember it; called by the signal's handler, so it takes no lock."""

    def note_signal(self, name: str) -> None:
        """Report it; waits for nothing."""

    def settle(self) -> None:
        """Wait a bounded time until what was reported has arrived."""


class Termination:
    """Takes the signals that ask a process to end while runs are open and nobody else does.

    The first one raises `Terminated` in the main thread; then its default action stands. A SIGHUP
    that is ignored, as under nohup, stays so. Of Ctrl-C the runs are only told.
    """

    def __init__(self) -> None:
        self._runs: dict[Run, None] = {}
        self._ears: Ears | None = None
        self._is_unwinding = False
        self._told: dict[int, float] = {}

    def catch(self, run: Run) -> None:
        """Handle the signals until `run` is released; from the main thread, as only that can."""
        if threading.current_thread() is not threading.main_thread():
            return
        if not self._runs:
            self._is_unwinding = False
        self._runs[run] = None
        for number in _ASK_TO_END:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._terminate)
        self._listen()

    def release(self, run: Run) -> None:
        """Give the signals back when no run is left."""
        self._runs.pop(run, None)
        if not self._runs and threading.current_thread() is threading.main_thread():
            self._give_back()

    def has_heard(self, number: int) -> bool:
        """Tell whether a signal has come while runs are open."""
        return self._ears is not None and self._ears.has_heard(number)

    def leave_to_parent(self) -> None:
        """Give the signals back in a forked child, where they must not unwind the parent's code."""
        self._runs.clear()
        self._give_back(in_child=True)

    def _listen(self) -> None:
        try:
            self._ears = self._ears or Ears(self._tell, (*_ASK_TO_END, signal.SIGINT))
        except (OSError, RuntimeError):
            return  # then the runs are told when the main thread unwinds
        for number in _ASK_TO_END:
            if signal.getsignal(number) == self._terminate:
                self._ears.listen(number)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._ears.listen(signal.SIGINT)

    def _give_back(self, *, in_child: bool = False) -> None:
        if self._ears is not None:
            self._ears.close(in_child=in_child)
            self._ears = None
        for number in _ASK_TO_END:
            if signal.getsignal(number) == self._terminate:
                signal.signal(number, signal.SIG_DFL)

    def _terminate(self, number: int, _frame: FrameType | None) -> None:
        # No report and no lock here: the interrupted code may be holding it.
        signal.signal(number, signal.SIG_DFL)
        for run in list(self._runs):
            run.mark_signal(signal.Signals(number).name)
        if not self._is_unwinding:  # the SIGHUP right behind a SIGTERM must not cut the clean-up
            self._is_unwinding = True
            raise Terminated(128 + number)

    def _tell(self, number: int) -> None:
        now = time.monotonic()
        before = self._told.get(number)
        self._told[number] = now
        if before is None or now - before >= _HEARD_AGAIN_SECONDS:
            runs = list(self._runs)
            for run in runs:
                run.note_signal(signal.Signals(number).name)
            for run in runs:
                run.settle()
        if signal.getsignal(number) == self._terminate:
            _end_by_the_next(number)


def _end_by_the_next(number: int) -> None:
    """Give a signal its default action from a thread: the main thread is in C code and cannot."""
    import ctypes  # noqa: PLC0415 - hardly ever needed

    ctypes.CDLL(None).signal(ctypes.c_int(number), ctypes.c_void_p(signal.SIG_DFL))


TERMINATION = Termination()
os.register_at_fork(after_in_child=TERMINATION.leave_to_parent)
