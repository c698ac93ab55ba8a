"""Descriptors that may be closed under us, as daemons do, and their numbers used again."""

from __future__ import annotations

import fcntl
import os

_FIRST = 3


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
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST)
    finally:
        os.close(descriptor)


def place_of(descriptor: int) -> tuple[int, int] | None:
    """Return device and inode of what the number stands for now; None: for nothing."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
