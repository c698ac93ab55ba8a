"""Hears of signals at once, whatever the main thread does.

A signal's Python handler waits for the main thread, which may be in C code for minutes. What is
registered with `faulthandler` is called at once: it writes to a pipe that a thread of ours reads,
and hands the signal on. `signal.set_wakeup_fd` would do as well, but there is only one of it in a
process, and asyncio and trio want it.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from synapse_stream.system.descriptors import place_of

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS = 5.0
_READ_BYTES = 65_536
_END = 0


class Ears:
    """A thread that calls `tell` with the number of a signal as soon as one comes.

    All methods are for the main thread.

    Args:
        numbers: of the signals that it can `listen` to.

    Raises:
        OSError: no descriptor is left.
        RuntimeError: no thread can start.
    """

    def __init__(self, tell: Callable[[int], object], numbers: tuple[int, ...]) -> None:
        self._tell = tell
        self._pipes: dict[int, tuple[int, int]] = {}
        self._listening: set[int] = set()
        self._places: dict[int, object] = {}
        self._heard: set[int] = set()
        self._lock = threading.Lock()
        try:
            for number in (_END, *numbers):
                self._pipes[number] = reading, writing = os.pipe()
                os.set_blocking(reading, False)
                os.set_blocking(writing, False)  # else a full pipe would hold up the handler
                self._places |= {end: place_of(end) for end in (reading, writing)}
            threading.Thread(
                target=self._listen, name="synapse-stream-signals", daemon=True
            ).start()
        except BaseException:
            self._close_pipes()
            raise

    def listen(self, number: int) -> None:
        """Hear of a signal from now on; what handles it goes on to do so."""
        if number not in self._listening:
            _, writing = self._pipes[number]
            faulthandler.register(number, file=writing, all_threads=False, chain=True)
            self._listening.add(number)

    def has_heard(self, number: int) -> bool:
        """Tell whether the signal has come, also when the thread does not know it yet."""
        self._take(number)
        return number in self._heard

    def close(self, *, in_child: bool = False) -> None:
        """Hear of nothing more, and leave every handler as Python knows it.

        Args:
            in_child: in a forked one, where there is no thread and the pipes are copies.
        """
        for number in self._listening:
            handler = signal.getsignal(number)
            if handler is not None:  # else C code has replaced it, and us with it
                faulthandler.unregister(number)
                signal.signal(number, handler)
        self._listening.clear()
        if in_child:
            self._close_pipes()
        elif self._is_own(self._pipes[_END][1]):
            os.write(self._pipes[_END][1], b".")  # the thread closes them

    def _listen(self) -> None:
        numbers = {reading: number for number, (reading, _) in self._pipes.items()}
        while all(map(self._is_own, numbers)):
            try:
                ready, _, _ = select.select(list(numbers), [], [], _LOOK_SECONDS)
            except OSError:
                break
            except BaseException:  # noqa: BLE001, S112 - put into the thread from outside
                continue
            for reading in filter(self._is_own, ready):
                if numbers[reading] == _END:
                    self._close_pipes()
                    return
                self._take(numbers[reading])
                self._tell(numbers[reading])

    def _take(self, number: int) -> None:
        """Empty a pipe and remember that there was something in it, at once for all who look."""
        with self._lock, suppress(BlockingIOError):
            os.read(self._pipes[number][0], _READ_BYTES)
            self._heard.add(number)

    def _close_pipes(self) -> None:
        for ends in self._pipes.values():
            for end in ends:
                if self._is_own(end):
                    os.close(end)
        self._pipes.clear()

    def _is_own(self, end: int) -> bool:
        """Tell whether a number is still that of a pipe of ours, and not of a file of the plugin.

        Daemons close all descriptors of a process, and their numbers are used again.
        """
        return self._places.get(end) == place_of(end)
