"""Connections to SQLite files: a new one is private, one that cannot be written is only read."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from synapse_stream.system import private

if TYPE_CHECKING:
    from pathlib import Path


def connect(file: Path, busy_seconds: float) -> sqlite3.Connection:
    """Connect to `file`, which is made if need be and can be.

    Where it or its folder cannot be written, as on a medium for reading only, it is read as it lies
    there; if nobody has its log open, no writer can be at work beside us. Threads may share the
    connection, one at a time.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    if is_writable(file):
        private.make_file(file)
        return sqlite3.connect(file, timeout=busy_seconds, check_same_thread=False)
    has_log = file.with_name(f"{file.name}-shm").exists()
    how = "mode=ro" if has_log else "mode=ro&immutable=1"
    address = f"file:{quote(str(file))}?{how}"
    return sqlite3.connect(address, timeout=busy_seconds, check_same_thread=False, uri=True)


def is_writable(file: Path) -> bool:
    """Tell whether this user may write the file, or make it; a write-ahead log lies beside it."""
    return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


def identity(file: Path) -> tuple[int, int] | None:
    """Return what tells a file from any other that is put in its place; None for none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)
