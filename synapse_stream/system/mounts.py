"""Which kind of file system a directory is on."""

from __future__ import annotations

import os
from pathlib import Path

# Of these a machine has its own: what another one writes to them does not show here.
_LOCAL = frozenset(
    {b"ext2", b"ext3", b"ext4", b"xfs", b"btrfs", b"zfs", b"f2fs", b"jfs", b"reiserfs", b"bcachefs"}
)
_KIND, _MOUNT_POINT, _SEPARATOR = 1, 4, b"-"


def is_local(path: Path) -> bool:
    """Tell whether a directory surely is on a disk of this machine."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
        wanted = os.fsencode(path.resolve())
    except OSError:
        return False
    best, kind = b"", b""
    for line in lines:
        fields = line.split()
        point = _plain(fields[_MOUNT_POINT])
        is_above = wanted == point or wanted.startswith(point.rstrip(b"/") + b"/")
        if is_above and len(point) >= len(best):  # of two on one point the later one shows
            best, kind = point, fields[fields.index(_SEPARATOR) + _KIND]
    return kind in _LOCAL


def _plain(point: bytes) -> bytes:
    for code in (b"040", b"011", b"012", b"134"):
        point = point.replace(b"\\" + code, bytes([int(code, 8)]))
    return point
