"""A home of another process, opened so that nobody can lead us elsewhere.

Who adopts may be root, and a spool is writable for its user: so no symbolic link is followed, every
file is reached through the directory that was opened once, and must belong to its owner. Nothing is
changed in place, for its process may live after all: files are written beside and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

from synapse_stream.producer.spool.homes import ALONE
from synapse_stream.producer.spool.info import DESCRIPTION, ProducerInfo
from synapse_stream.producer.spool.life import is_kept
from synapse_stream.producer.spool.roots import REMOVED, forget_root, is_folder, is_in_memory

if TYPE_CHECKING:
    from synapse_stream.producer.spool.info import Place

_SEGMENT = re.compile(r"\d{8}\.seg")
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_DESCRIPTORS = Path("/proc/self/fd")
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def describe(path: Path) -> ProducerInfo:
    """Read who wrote the spool in a directory. A pipe or the like in its place is not waited for.

    Raises:
        DecodeError: it is damaged, or of a later version.
        OSError: it cannot be read.
    """
    with LeftHome(path) as home:
        return home.describe()


class LeftHome:
    """One directory of a spool, as somebody else finds it. Close it, or use it in a `with`."""

    def __init__(self, path: Path) -> None:
        """Open the directory.

        Raises:
            OSError: it is not there, no directory, or not ours to open.
        """
        self.path = path
        self._root = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._directory = self._lock = -1
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
            self._directory = os.open(path.name, flags, dir_fd=self._root)
            found = os.fstat(self._directory)
        except OSError:
            self.close()
            raise
        self.place: Place = (found.st_dev, found.st_ino)
        self.uid, self._gid = found.st_uid, found.st_gid

    @property
    def anchor(self) -> Path:
        """The directory by a path that leads nowhere else, whatever is done to its name."""
        path = _DESCRIPTORS / str(self._directory)
        return path if is_folder(path) else self.path

    @property
    def is_in_memory(self) -> bool:
        """True when it is in shared memory."""
        return is_in_memory(self.path.parent)

    @property
    def signed(self) -> float:
        """When its process left a sign of life that shows on other hosts, too."""
        try:
            return self.modified(DESCRIPTION)
        except OSError:
            return 0.0

    @property
    def is_alone(self) -> bool:
        """True when the spool's other home is not needed any more."""
        return self._size(ALONE) is not None

    def describe(self) -> ProducerInfo:
        """Read `producer.json`.

        Raises:
            DecodeError: it is damaged, or of a later version.
            OSError: it cannot be read.
        """
        return ProducerInfo.parse(self.read(DESCRIPTION))

    def segments(self) -> list[str]:
        """Return the names of the segments, oldest first."""
        with os.scandir(self._directory) as entries:
            return sorted(entry.name for entry in entries if _SEGMENT.fullmatch(entry.name))

    def size(self, name: str) -> int:
        """Return the size of a file; 0 when there is none."""
        return self._size(name) or 0

    def modified(self, name: str) -> float:
        """Return when a file was written."""
        return os.stat(name, dir_fd=self._directory, follow_symlinks=False).st_mtime

    def read(self, name: str, start: int = 0, size: int = -1) -> bytes:
        """Return bytes of a file.

        Raises:
            OSError: it is not there, or no plain file of the directory's owner.
        """
        with open(os.open(name, _READ, dir_fd=self._directory), "rb") as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != self.uid:
                msg = "it is no plain file of the spool's owner, and left alone"
                raise OSError(errno.EPERM, msg, str(self.path / name))
            file.seek(start)
            return file.read(size)

    def lines(self, name: str) -> list[bytes]:
        """Return the whole lines of a file; none of one that cannot be read."""
        try:
            return self.read(name).split(b"\n")[:-1]
        except OSError:
            return []

    def write(self, name: str, content: bytes) -> None:
        """Put a whole file in its place, as its owner's.

        Raises:
            OSError: no room.
        """
        draft = f".{name}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, _WRITE, 0o600, dir_fd=self._directory)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
                if os.geteuid() != self.uid:
                    os.fchown(file.fileno(), self.uid, self._gid)
                file.write(content)
            os.rename(draft, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=self._directory)
            raise

    def give(self, name: str) -> None:
        """Make a file its owner's, which another user may have made; none is none."""
        if os.geteuid() != self.uid:
            with contextlib.suppress(OSError):
                os.chown(name, self.uid, self._gid, dir_fd=self._directory, follow_symlinks=False)

    def is_kept(self) -> bool | None:
        """Tell whether its process has it mapped; None when the file system does not tell."""
        try:
            return is_kept(DESCRIPTION, self._directory)
        except OSError:
            return None

    def try_lock(self) -> bool | None:
        """Lock it; False when somebody else has it locked, None where there are no locks."""
        for flags in (_READ, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW):  # NFS wants to write
            try:
                self._lock = os.open(DESCRIPTION, flags, dir_fd=self._directory)
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._unlock()
                return False
            except OSError as error:
                self._unlock()
                if error.errno in {errno.EBADF, errno.EACCES, *_NO_LOCKS}:
                    continue
                return None
            else:
                return True
        return None

    def is_in_place(self) -> bool:
        """Tell whether it still is what is found under its name."""
        try:
            found = os.stat(self.path.name, dir_fd=self._root, follow_symlinks=False)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self.place

    def remove(self) -> None:
        """Delete it; it disappears as a whole."""
        grave = f".{self.path.name}{REMOVED}"
        with contextlib.suppress(OSError):
            os.rename(self.path.name, grave, src_dir_fd=self._root, dst_dir_fd=self._root)
            shutil.rmtree(grave, ignore_errors=True, dir_fd=self._root)
            forget_root(self.path.parent)

    def close(self) -> None:
        """Let go of it."""
        self._unlock()
        for descriptor in (self._directory, self._root):
            if descriptor >= 0:
                os.close(descriptor)
        self._directory = self._root = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _size(self, name: str) -> int | None:
        try:
            return os.stat(name, dir_fd=self._directory, follow_symlinks=False).st_size
        except OSError:
            return None
