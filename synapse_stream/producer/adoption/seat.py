"""The seat of the adopter: of all processes on a host one looks after what dead ones left."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
import weakref
from typing import TYPE_CHECKING

from synapse_stream.log.url import server_key
from synapse_stream.producer.spool.roots import forget_root, roots
from synapse_stream.remote.bearer import jobs_of
from synapse_stream.system.boot import boot_id
from synapse_stream.system.descriptors import lifted, place_of
from synapse_stream.system.private import open_own

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings

_ASLEEP_SECONDS = 60.0
"""Who has the seat and was not seen for so long is stopped, or its container is."""

_taken: weakref.WeakSet[Seat]


class Seat:
    """One seat a host, server, spool root and token's jobs.

    Losing it does no harm: each spool has a lock.
    """

    def __init__(self, settings: Settings) -> None:
        self._lock = -1
        self._settings = settings
        what = f"{boot_id()} {server_key(settings.server)} {settings.namespace}"
        if settings.url is not None:  # who may send other jobs' spools has a seat of its own
            what = f"{what} {jobs_of(settings.token)}"
        self._name = f".adopter-{hashlib.sha256(what.encode()).hexdigest()[:16]}"
        self._path: Path | None = None
        self._place = (0, 0)
        _taken.add(self)

    def take(self) -> bool:
        """Sit down, or stay; False when somebody else sits there and is awake."""
        if self._is_held():
            with contextlib.suppress(OSError):
                os.utime(self._lock)
            return True
        self._lock = -1
        for root in reversed(roots(self._settings)):  # the disk first: it is there from the start
            try:
                return self._sit(root / self._name)
            except OSError:
                continue
        return True  # there is no place to ask at

    def release(self) -> None:
        """Leave it to the next one."""
        if self._is_held() and self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
                forget_root(self._path.parent)
        self.forget()

    def forget(self) -> None:
        """Let go of it, as a forked child must, whose parent sits on."""
        if self._is_held():
            os.close(self._lock)
        self._lock = -1

    def __del__(self) -> None:
        self.forget()

    def _sit(self, path: Path) -> bool:
        lock = lifted(open_own(path))
        found = os.fstat(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.utime(lock)
        except BlockingIOError:
            os.close(lock)
            return time.time() - found.st_mtime > _ASLEEP_SECONDS
        except OSError:
            os.close(lock)
            raise
        self._path, self._lock, self._place = path, lock, (found.st_dev, found.st_ino)
        return True

    def _is_held(self) -> bool:
        """Tell whether the descriptor still is ours: somebody may have closed it under us."""
        return self._lock >= 0 and place_of(self._lock) == self._place


_taken = weakref.WeakSet()


def _leave_to_parent() -> None:
    for seat in list(_taken):
        seat.forget()


os.register_at_fork(after_in_child=_leave_to_parent)
