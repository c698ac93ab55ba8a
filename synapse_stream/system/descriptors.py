"""Descriptors: closed under us, as daemons do, and their numbers used again; or none is left."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
"""Numbers of errors that say that this process, or the system, has as many as it may have."""

_FIRST = 3
_MOST_SET_ASIDE = 8
_SHARE = 16  # of all that the process may have, one in so many is set aside


def lifted(descriptor: int) -> int:
    """Return the descriptor under a number that no standard stream has.

    Where standard streams are closed, as in daemons, the next file gets such a number, and what C
    code writes to its standard error goes into that file.

    Raises:
        OSError: no number is left; `descriptor` is closed.
    """
    if descriptor >= _FIRST:
        return descriptor
    try:
        return _another(descriptor)
    finally:
        os.close(descriptor)


def _another(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST)


def place_of(descriptor: int) -> tuple[int, int] | None:
    """Return device and inode of what the number stands for now; None: for nothing."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class SetAside:
    """A few descriptors for us where the plugin has used up all that it may have.

    Locks, segments and the connection of a run need some. They are ends of a pipe that nobody else
    has, so none is closed that got another meaning when a daemon closed ours.
    """

    def __init__(self) -> None:
        self._place: tuple[int, int] | None = None
        self._held: list[int] = []
        self._filling = threading.Lock()

    def fill(self) -> None:
        """Set aside what is missing, if there is any; not more than a small part of the limit."""
        if not self._filling.acquire(blocking=False):
            return  # another thread does, or this one was interrupted while it did
        try:
            self._held = self._filled()
        finally:
            self._filling.release()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Have all of them but one free in the block, if no other descriptor is."""
        if self._is_one_left():
            yield
            return
        lent, self._held = self._held[1:], self._held[:1]
        for number in lent:
            if place_of(number) == self._place:
                os.close(number)
        try:
            yield
        finally:
            self.fill()

    def leave_to_parent(self) -> None:
        """Start anew in a forked child, with what it has inherited."""
        self._filling = threading.Lock()

    def _filled(self) -> list[int]:
        held = [number for number in self._held if place_of(number) == self._place]
        wanted = min(_MOST_SET_ASIDE, os.sysconf("SC_OPEN_MAX") // _SHARE)
        try:
            if not held and wanted > 0:
                reading, writing = os.pipe()
                os.close(writing)
                held = [lifted(reading)]
                self._place = place_of(held[0])
            while len(held) < wanted:
                held.append(_another(held[0]))
        except OSError:
            pass  # the plugin needs them
        return held

    def _is_one_left(self) -> bool:
        try:
            os.close(_another(self._held[0]))
        except IndexError:
            return True  # nothing can be lent
        except OSError as error:
            return error.errno not in NO_DESCRIPTOR
        return True


SET_ASIDE = SetAside()
os.register_at_fork(after_in_child=SET_ASIDE.leave_to_parent)
