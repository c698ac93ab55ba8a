"""How much of the shared memory a spool may take: it is small in containers, and others need it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SHARE = 4  # of what is free for spools, one of them takes a quarter at most


class Room:
    """The memory behind a directory; half of it is always left to others."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def has(self, size: int) -> bool:
        """Tell whether so many bytes more may be taken."""
        return self._free() >= size

    def share(self, held: int) -> int:
        """Return how much a spool may hold that holds `held` bytes."""
        return max(0, self._free() + held) // _SHARE

    def _free(self) -> int:
        """Return how much may be taken; negative when others have taken more than a half."""
        if self._directory is None:
            return 0
        try:
            found = os.statvfs(self._directory)
        except OSError:
            return 0
        return found.f_frsize * (found.f_bavail - found.f_blocks // 2)
