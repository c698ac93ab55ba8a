"""Where spools are: on disk the spool root, in shared memory its counterpart."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from synapse_stream.settings import SHARED_MEMORY
from synapse_stream.system.private import make_folder, open_own

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings

REMOVED = ".removed"
"""How the name of a directory ends that is being deleted."""

_NAME = ".name"
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
    mine = memory / _folder_name()
    with contextlib.suppress(OSError):
        mine.mkdir(mode=0o700, exist_ok=True)
    if not _is_own(mine):
        return None
    return mine / (read_name(spool_root) or _name_of(spool_root))


def has_memory(memory: Path) -> bool:
    """Tell whether this user has, or could get, a directory in shared memory; makes nothing."""
    mine = memory / _folder_name()
    return _is_own(mine) if os.path.lexists(mine) else os.access(memory, os.W_OK)


def find_hot_root(spool_root: Path, memory: Path) -> Path | None:
    """Return the counterpart of a spool root, if it is there; makes nothing."""
    mine = memory / _folder_name()
    names = (read_name(spool_root), _makeshift_name(spool_root))
    found = (mine / name for name in names if name is not None and _is_own(mine))
    return next(filter(is_folder, found), None)


def roots(settings: Settings) -> list[Path]:
    """Return the roots of `settings` that are there, hot before cold."""
    both = (find_hot_root(settings.spool_root, settings.memory_dir), settings.spool_root)
    return [root for root in both if root is not None and is_folder(root)]


def roots_in(memory: Path) -> list[Path]:
    """Return the roots in shared memory, of all users whose folders may be read."""
    return [root for user in folders(memory, MEMORY_NAMES) for root in folders(user, "*")]


def folders(parent: Path, pattern: str) -> list[Path]:
    """Return the directories in `parent`, no links to such."""
    found = []
    with contextlib.suppress(OSError):
        for path in parent.glob(pattern):
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(path.lstat().st_mode):
                    found.append(path)
    return sorted(found)


def homes_of(settings: Settings, producer: str) -> list[Path]:
    """Return the homes of one producer that are there, hot before cold."""
    return [root / producer for root in roots(settings) if is_folder(root / producer)]


def is_folder(path: Path) -> bool:
    """Tell whether it is a directory, as far as we may know."""
    try:
        return path.is_dir()
    except OSError:  # another user's, or ours until we have become another user
        return False


def _is_own(folder: Path) -> bool:
    """Tell whether it is a directory of this user, and no link to one."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def is_of_this_user(root: Path) -> bool:
    """Tell whether a root in shared memory is this user's."""
    return root.parent.name == _folder_name()


def is_in_memory(root: Path) -> bool:
    """Tell whether a root is in shared memory."""
    return fnmatch(root.parent.name, MEMORY_NAMES)


def forget_root(root: Path) -> None:
    """Remove a root in shared memory, if it is empty."""
    if is_in_memory(root):
        with contextlib.suppress(OSError):
            root.rmdir()


def _folder_name() -> str:
    return MEMORY_NAMES.replace("*", str(os.getuid()))


def read_name(spool_root: Path) -> str | None:
    """Return the name of a spool root's counterpart in shared memory.

    None when it has none yet: also when it is a copy, whose file has the name of the original's.
    """
    try:
        name, _, inode = (spool_root / _NAME).read_text(encoding="ascii").partition(" ")
        is_original = not inode or int(inode) == spool_root.stat().st_ino
    except (OSError, ValueError):
        return None
    return name if is_original and name.isalnum() else None


def _name_of(spool_root: Path) -> str:
    try:
        make_folder(spool_root)
        descriptor = open_own(spool_root / _NAME)
    except OSError:  # nothing can be kept there, so nothing there can be mixed up
        return _makeshift_name(spool_root)
    try:
        with contextlib.suppress(OSError):  # there may be no locks; then the last one is right
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        name = read_name(spool_root)
        if name is None:
            name = secrets.token_hex(8)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{name} {spool_root.stat().st_ino}".encode(), 0)
    except OSError:
        name = _makeshift_name(spool_root)
    finally:
        os.close(descriptor)
    return name


def _makeshift_name(spool_root: Path) -> str:
    """Return the name for a root that cannot hold one."""
    return hashlib.sha256(os.fsencode(spool_root)).hexdigest()[:16]
