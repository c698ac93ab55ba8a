"""Where spools are: on disk the spool root, in shared memory its counterpart."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from synapse_stream.private import make_folder, write_file
from synapse_stream.settings import SHARED_MEMORY

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings

REMOVED = ".removed"
"""How the name of a directory ends that is being deleted."""

MEMORY_NAMES = "synapse-stream-*"
"""How directories of users are named in it, by their number."""


def hot_root(spool_root: Path, memory: Path = SHARED_MEMORY) -> Path | None:
    """Return the shared-memory counterpart of a spool root; None where there is no such memory.

    The directory is private to the user; one that somebody else put in its place is not used. Its
    name is a random one that the spool root holds: containers may share memory and yet have
    different disks under the same path.
    """
    with contextlib.suppress(OSError):
        memory.mkdir(exist_ok=True)
    if not os.access(memory, os.W_OK):
        return None
    mine = memory / MEMORY_NAMES.replace("*", str(os.getuid()))
    try:
        mine.mkdir(mode=0o700, exist_ok=True)
        found = mine.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return None
    return mine / _name_of(spool_root)


def roots(settings: Settings) -> list[Path]:
    """Return the roots of `settings` that are there, hot before cold."""
    both = (hot_root(settings.spool_root, settings.memory_dir), settings.spool_root)
    return [root for root in both if root is not None and root.is_dir()]


def homes_of(settings: Settings, producer: str) -> list[Path]:
    """Return the homes of one producer that are there, hot before cold."""
    return [root / producer for root in roots(settings) if (root / producer).is_dir()]


def is_in_memory(root: Path) -> bool:
    """Tell whether a root is in shared memory."""
    return fnmatch(root.parent.name, MEMORY_NAMES)


def forget_root(root: Path) -> None:
    """Remove a root in shared memory, if it is empty."""
    if is_in_memory(root):
        with contextlib.suppress(OSError):
            root.rmdir()


def name_file(spool_root: Path) -> Path:
    """Return the file with the name of a spool root's counterpart in shared memory."""
    return spool_root / ".name"


def _name_of(spool_root: Path) -> str:
    path = name_file(spool_root)
    try:
        return path.read_text()
    except OSError:
        draft = spool_root / f".{secrets.token_hex(8)}"
    try:
        make_folder(spool_root)
        write_file(draft, secrets.token_hex(8).encode())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        return path.read_text()
    except OSError:  # nothing can be kept there, so nothing there can be mixed up
        return hashlib.sha256(os.fsencode(spool_root)).hexdigest()[:16]
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
