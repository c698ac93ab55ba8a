"""On the path of a process, it lives on file systems without locks and leases, as nolock mounts."""

import errno
import fcntl
import os


def _refuse(*_: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


fcntl.flock = _refuse
del fcntl.F_SETLEASE
