"""Keep a process on a leash: it ends when the one that started it does, be that by SIGKILL."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# 1 is PR_SET_PDEATHSIG, 15 SIGTERM; it outlives exec. The starter may be gone before it is set.
_LEASH = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def leashed(command: Sequence[str]) -> list[str]:
    """Return a command that runs `command`, the path of a program first, on a leash.

    The program keeps the process id, and gets SIGTERM when the thread that started it is gone:
    start it from the main thread. Only Linux has leashes; elsewhere it is the command as it was.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *command]
