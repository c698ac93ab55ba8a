"""The proof that the owner of a file lives: it keeps the file mapped for writing.

A lock is gone when somebody closes the process's descriptors; a mapping is not. The kernel tells of
it: a read lease on a file is refused while anybody has it open or mapped for writing, in whichever
container. Not every file system does that (network ones refuse always, overlay ones see no
mapping), so whoever makes a file tries it there first.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from typing import TYPE_CHECKING

from synapse_stream.system.mapping import map_file

if TYPE_CHECKING:
    import mmap

_SET_SIGNAL = getattr(fcntl, "F_SETSIG", None)
_LEASE = getattr(fcntl, "F_SETLEASE", None)


def keep_alive(name: str, directory: int) -> tuple[mmap.mmap, bool]:
    """Map the file, which has a byte or more and nobody open, for as long as the mapping is kept.

    Returns:
        The mapping, and whether `is_kept` sees it on this file system.

    Raises:
        OSError: it cannot be opened or mapped.
    """
    was_kept = is_kept(name, directory)
    descriptor = os.open(name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    try:
        mapping = map_file(descriptor, 1)
    finally:
        os.close(descriptor)
    return mapping, was_kept is False and is_kept(name, directory) is True


def is_kept(name: str, directory: int) -> bool | None:
    """Tell whether anybody has the file open or mapped for writing; None: it cannot be told.

    Raises:
        OSError: the file cannot be opened.
    """
    if _LEASE is None or _SET_SIGNAL is None:
        return None
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    try:
        # The signal for who opens the file meanwhile: SIGIO would kill, SIGURG is ignored.
        fcntl.fcntl(descriptor, _SET_SIGNAL, signal.SIGURG)
        fcntl.fcntl(descriptor, _LEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    else:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, _LEASE, fcntl.F_UNLCK)
        return False
    finally:
        os.close(descriptor)
