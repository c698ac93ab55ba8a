"""A thread that is there while somebody needs it: started late, ended early, killed by nothing."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from math import inf
from typing import Generic, TypeVar

from synapse_stream.producer.spool.doorbell import Doorbell
from synapse_stream.saying import voice

M = TypeVar("M")

_LONGEST_REST_SECONDS = 3600.0
_FAULT_PAUSE_SECONDS = 1.0
_SUMMON_SECONDS = 1.0  # between attempts to start a thread that does not start


class Worker(ABC, Generic[M]):
    """Works for its members while there are any.

    Where no thread can be started (too many of them, or the interpreter shuts down), whoever rings
    the bell tries again now and then.
    """

    def __init__(self, name: str) -> None:
        self.bell = Doorbell(self.summon)
        """To be rung when there may be something to do."""
        self.members: tuple[M, ...] = ()
        self._name = name
        self._lock = threading.RLock()  # of members and thread; held for a few lines only
        self._thread: threading.Thread | None = None
        self._is_starting = False
        self._tried_at = -inf

    @abstractmethod
    def work(self) -> None:
        """Do what is due."""

    @abstractmethod
    def due(self, now: float) -> float:
        """Return when something is due, on the monotonic clock."""

    @abstractmethod
    def finish(self) -> None:
        """Put everything away: nobody is left."""

    def listen(self, now: float) -> None:  # noqa: ARG002 - others do not listen always
        """Be woken when the bell rings because there may be something to do."""
        self.bell.arm()

    @property
    def has_thread(self) -> bool:
        """True while there is a thread that works."""
        return self._thread is not None

    def join(self, member: M) -> None:
        """Work for one more."""
        with self._lock:
            self.members += (member,)
            self._tried_at = -inf
        self.bell.ring()

    def leave(self, member: M) -> None:
        """Work for it no longer."""
        with self._lock:
            self.members = tuple(each for each in self.members if each is not member)
        self.bell.ring()

    def wait_finished(self, timeout: float) -> None:
        """If nobody is left, wait until the thread has ended."""
        thread = self._thread
        if not self.members and thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def summon(self) -> None:
        """Start the thread, if there is none and it is needed. Waits for nobody, never raises."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            now = time.monotonic()
            may_try = now - self._tried_at >= _SUMMON_SECONDS and not self._is_starting
            if self._thread is None and self.members and may_try:
                self._tried_at, self._is_starting = now, True
                try:
                    self._start()
                finally:
                    self._is_starting = False
        finally:
            self._lock.release()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread = thread
        self.bell.hook()
        try:
            thread.start()
        except RuntimeError:
            self._thread = None
            self.bell.unhook()

    def _run(self) -> None:
        try:
            while not self._is_unmanned():
                try:
                    self.work()
                    self._rest()
                except BaseException:  # noqa: BLE001 - only the end of its work ends the thread
                    voice.fault("the thread %s failed and goes on", self._name)
                    time.sleep(_FAULT_PAUSE_SECONDS)
        finally:
            if self._thread is threading.current_thread():
                self._thread = None
                self.bell.unhook()

    def _rest(self) -> None:
        now = time.monotonic()
        self.listen(now)
        due = self.due(now) if self.members else now
        if due > now:
            self.bell.wait(min(due - now, _LONGEST_REST_SECONDS))

    def _is_unmanned(self) -> bool:
        """Tell whether nobody is left; then this thread counts no more, and a newcomer gets one."""
        with self._lock:
            if self.members:
                return False
            self._thread = None
            self.bell.unhook()
        self.finish()
        return True
