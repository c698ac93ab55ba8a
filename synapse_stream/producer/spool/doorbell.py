"""Wakes a thread at no cost while it is busy, and has it started again when there is none."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Doorbell:
    """A bell for one sleeper. Ringing while nobody sleeps costs the caller one attribute look-up.

    The sleeper arms it, looks for work once more, and only then waits; so work that came between is
    not slept over. A sleeper that ends unhooks the bell: from then on ringing calls `summon`.
    """

    __slots__ = ("_is_unhooked", "_lock", "_summon", "is_armed")

    def __init__(self, summon: Callable[[], object] | None = None) -> None:
        self.is_armed = self._is_unhooked = summon is not None
        self._summon = summon
        self._lock = threading.Lock()
        self._lock.acquire()

    def hook(self) -> None:
        """Say that there is a sleeper now."""
        self._is_unhooked = False

    def unhook(self) -> None:
        """Say that there is none any more."""
        self._is_unhooked = self.is_armed = True

    def arm(self) -> None:
        """Announce that the caller is about to `wait`."""
        self.is_armed = True

    def wait(self, timeout: float) -> bool:
        """Sleep until rung; False after `timeout` seconds."""
        rung = self._lock.acquire(timeout=timeout)
        self.is_armed = self._is_unhooked
        return rung

    def ring(self) -> None:
        """Wake the sleeper, or let its next `wait` return at once; twice is once."""
        self.is_armed = self._is_unhooked
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError:
                return  # another thread rang between the two lines
        if self._is_unhooked and self._summon is not None:
            self._summon()
