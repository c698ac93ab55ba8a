"""Wakes the shipper at no cost while it is busy."""

from __future__ import annotations

import threading


class Doorbell:
    """A bell for one sleeper. Ringing while nobody sleeps costs the caller one attribute look-up.

    The sleeper arms it, looks for work once more, and only then waits; so work that came between is
    not slept over.
    """

    __slots__ = ("_lock", "is_armed")

    def __init__(self) -> None:
        self.is_armed = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def arm(self) -> None:
        """Announce that the caller is about to `wait`."""
        self.is_armed = True

    def wait(self, timeout: float) -> bool:
        """Sleep until rung; False after `timeout` seconds."""
        rung = self._lock.acquire(timeout=timeout)
        self.is_armed = False
        return rung

    def ring(self) -> None:
        """Wake the sleeper, or let its next `wait` return at once; twice is once."""
        self.is_armed = False
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError:
                return  # another thread rang between the two lines
