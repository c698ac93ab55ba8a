"""The directories of a spool, and the lock that tells whether its process lives.

A spool has up to two homes: a *hot* one in shared memory, where lines are written, and a *cold* one
on disk, where backlog and rewind window go. Each holds `producer.json` and segments `00000000.seg`,
`00000001.seg`, … The process holds a `flock` on `producer.json`; the kernel frees it at the
process's end however it ended, so a lock that can be had proves the process dead, across containers
too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from synapse_stream.errors import DecodeError

_FORMAT = 1
_REMOVED = ".removed"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the directory made in it is private and its owner checked


@dataclass(frozen=True, slots=True)
class ProducerInfo:
    """Who wrote a spool and where it belongs; the content of `producer.json`."""

    producer: str
    job_id: str
    rank: int | None
    """None for a forked child: its death is not the death of the rank."""
    host: str
    pid: int
    namespace: str
    server: str
    """Address of the server, masked: the events of one deployment must not end in another."""
    has_memory: bool = False
    """True when a part of the spool is in shared memory."""

    @classmethod
    def load(cls, path: Path) -> ProducerInfo:
        """Read `producer.json`.

        Raises:
            DecodeError: it is not ours, or of a later format.
            OSError: it cannot be read.
        """
        try:
            content: dict[str, Any] = orjson.loads(path.read_bytes())
            if content.pop("format") != _FORMAT:
                msg = f"{path} has a format that this version does not know"
                raise DecodeError(msg)
            return cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"{path} does not describe a producer: {error}"
            raise DecodeError(msg) from error

    def dump(self) -> bytes:
        """Return the content of `producer.json`."""
        return orjson.dumps({"format": _FORMAT, **asdict(self)}, option=orjson.OPT_APPEND_NEWLINE)


class Home:
    """One directory of a spool, locked by this process; its forked children hold no lock."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        _held.add(self)

    @classmethod
    def create(cls, root: Path, info: ProducerInfo) -> Home:
        """Make and lock the directory; it appears under its name only when it is locked.

        Raises:
            OSError: the directory cannot be made.
        """
        draft = root / f".{info.producer}"
        while not draft.is_dir():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # somebody removed the root as empty
                draft.mkdir(mode=0o700)
        try:
            (draft / "producer.json").write_bytes(info.dump())
            lock = os.open(draft / "producer.json", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        fcntl.flock(lock, fcntl.LOCK_EX)
        draft.rename(root / info.producer)
        return cls(root / info.producer, lock)

    @classmethod
    def take_over(cls, path: Path) -> Home | None:
        """Lock the directory of a dead process; None when its process lives or another took it."""
        try:
            lock = os.open(path / "producer.json", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if not (path / "producer.json").exists():  # removed by the one who had the lock before us
            os.close(lock)
            return None
        return cls(path, lock)

    def segment_path(self, index: int) -> Path:
        """Return where a segment lies."""
        return self.path / f"{index:08d}.seg"

    def segment_paths(self) -> list[Path]:
        """Return the segments that are there, oldest first."""
        return sorted(self.path.glob(f"{'[0-9]' * 8}.seg"))

    def release(self) -> None:
        """Give the lock back; for whoever comes next the directory then has no living process."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remove(self) -> None:
        """Delete the directory, then give the lock back.

        It disappears as a whole: half a spool, left by a SIGKILL, would be taken for one that lost
        events. In shared memory an empty root goes too: there is one for every spool root.
        """
        grave = self.path.with_name(f".{self.path.name}{_REMOVED}")
        with contextlib.suppress(OSError):
            self.path.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)
            if _SHARED_MEMORY in grave.parents:
                grave.parent.rmdir()
        self.release()


_held: weakref.WeakSet[Home] = weakref.WeakSet()


def _leave_locks_to_parent() -> None:
    # A lock is free when the last copy of its descriptor is closed: a copy in a child that outlives
    # its parent would make the parent's spool look like that of a living process.
    for home in list(_held):
        home.release()


os.register_at_fork(after_in_child=_leave_locks_to_parent)


def bury(root: Path) -> None:
    """Delete what somebody was killed over while deleting it."""
    for grave in root.glob(f".*{_REMOVED}"):
        shutil.rmtree(grave, ignore_errors=True)


def hot_root(spool_root: Path) -> Path | None:
    """Return the shared-memory counterpart of a spool root; None where there is no such memory.

    The directory is private to the user; one that somebody else put in its place is not used. Its
    name is a random one that the spool root holds: containers may share memory and yet have
    different disks under the same path.
    """
    if not os.access(_SHARED_MEMORY, os.W_OK):
        return None
    mine = _SHARED_MEMORY / f"synapse-stream-{os.getuid()}"
    try:
        mine.mkdir(mode=0o700, exist_ok=True)
        found = mine.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return None
    return mine / _name_of(spool_root)


def _name_of(spool_root: Path) -> str:
    path = spool_root / ".name"
    try:
        return path.read_text()
    except OSError:
        draft = spool_root / f".{secrets.token_hex(8)}"
    try:
        spool_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(secrets.token_hex(8))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        return path.read_text()
    except OSError:  # nothing can be kept there, so nothing there can be mixed up
        return hashlib.sha256(os.fsencode(spool_root)).hexdigest()[:16]
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
