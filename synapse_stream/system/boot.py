"""The id of the running kernel: all containers on it have the same, every start another."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str | None:
    """Return the id; None where the system has none."""
    try:
        return _read() or None
    except (OSError, ValueError):  # not for good: no file can be opened now
        return None


@cache
def _read() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
