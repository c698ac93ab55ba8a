"""Files and folders that are their user's alone, whoever of us makes them first."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER, FILE = 0o700, 0o600


def make_folder(path: Path) -> None:
    """Make a folder and what is missing of the folders above it; one that is there stays as it is.

    Raises:
        OSError: it cannot be made, or something else bears its name.
    """
    if not path.parent.is_dir():
        make_folder(path.parent)
    path.mkdir(mode=FOLDER, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file, if nothing of that name is there and the folder can be written."""
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE))


def open_own(path: Path, access: int = os.O_RDWR) -> int:
    """Open a file that is made if it is not there, and never one that a link leads to.

    Args:
        path: where it is.
        access: for what, as `os.open` takes it.

    Raises:
        OSError: it cannot be made or opened, or is a link.
    """
    return os.open(path, access | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a file that processes take one after the other, which is made if it is not there.

    Where it cannot be made, or there are no locks, nobody waits for anybody.
    """
    descriptor = -1
    try:
        with suppress(OSError):
            make_folder(lock.parent)
            descriptor = open_own(lock)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put a whole file in the place of another, which is read as it was or as it will be.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    write_file(draft, content)
    draft.replace(path)


def write_file(path: Path, content: bytes) -> None:
    """Write a file, new or in the place of what it held.

    Raises:
        OSError: it cannot be written.
    """
    with open_new(path) as file:
        file.write(content)


def open_new(path: Path) -> IO[bytes]:
    """Open a file to be written, new or in the place of what it held.

    Raises:
        OSError: it cannot be written.
    """
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, FILE), "wb")


def open_to_others(path: Path) -> bool:
    """Tell whether others than its user may do anything with what is there."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False
