"""The directories of a spool while its process lives.

A spool has up to two homes: a *hot* one in shared memory, where lines are written, and a *cold* one
on disk, where backlog and rewind window go. Each holds `producer.json` and segments `00000000.seg`,
`00000001.seg`, … Both say which two directories belong together. They are made under hidden names
and appear when they are whole and their owner shows life in them; who looks for spools never sees
hidden names.

The owner shows life in two ways: it holds a lock on `producer.json`, which works on most file
systems, and keeps it mapped, which nobody can take away by closing its descriptors.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.producer.spool.info import DESCRIPTION, ProducerInfo
from synapse_stream.producer.spool.life import keep_alive
from synapse_stream.producer.spool.roots import REMOVED, forget_root
from synapse_stream.system.descriptors import SET_ASIDE, lifted, place_of
from synapse_stream.system.private import make_folder, write_file

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synapse_stream.producer.spool.info import Place

ALONE = "alone"
"""File that says that the other home is not needed any more: all that is left is here."""

_BLOCK_BYTES = 4096  # the description finds room in it, once its file could be made
_ATTEMPTS = 100


class Home:
    """One directory of a spool of this process; its forked children have nothing to do with it."""

    def __init__(self, path: Path, place: Place, life: mmap.mmap, lock: int) -> None:
        self.path = path
        self.place = place
        self._life: mmap.mmap | None = life
        self._lock = lock
        self._lock_place = place_of(lock)
        _held.add(self)

    def segment_path(self, index: int) -> Path:
        """Return where a segment lies."""
        return self.path / f"{index:08d}.seg"

    def sign(self) -> None:
        """Leave a sign of life that shows on other hosts, too: the time of `producer.json`."""
        with contextlib.suppress(OSError):
            os.utime(self.path / DESCRIPTION)

    def hold(self) -> None:
        """Lock it again, if somebody closed the descriptor of the lock, as daemons do."""
        if self._lock < 0 or place_of(self._lock) == self._lock_place:
            return
        self._lock = -1  # another file's by now, or nobody's
        with contextlib.suppress(OSError), SET_ASIDE.lent():
            flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
            lock = os.open(self.path / DESCRIPTION, flags)
            try:
                if place_of(lock) == self._lock_place:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._lock, lock = lock, -1
            finally:
                if lock >= 0:
                    os.close(lock)

    def keep_alone(self) -> None:
        """Write down that the spool's other home is not needed any more.

        Raises:
            OSError: no room.
        """
        (self.path / ALONE).touch(mode=0o600)

    def release(self) -> None:
        """Show no life any more: whoever comes next may send what is here."""
        life, self._life = self._life, None
        if life is not None:
            life.close()
        lock, self._lock = self._lock, -1
        with contextlib.suppress(OSError):
            if lock >= 0 and place_of(lock) == self._lock_place:  # else another file's by now
                os.close(lock)

    def remove(self) -> None:
        """Delete the directory, then `release`. It disappears as a whole.

        In shared memory an empty root goes too: there is one for every spool root.
        """
        grave = self.path.with_name(f".{self.path.name}{REMOVED}")
        with contextlib.suppress(OSError):
            self.path.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)
            forget_root(self.path.parent)
        self.release()


class Homes(NamedTuple):
    """The homes of one spool."""

    hot: Home | None
    cold: Home | None

    def each(self) -> Iterator[Home]:
        """Yield those that there are, hot before cold."""
        return (home for home in self if home is not None)

    def remove(self) -> None:
        """Delete all. Where a SIGKILL comes between, what is left does not look like a half."""
        if self.hot is not None and self.cold is not None:
            with contextlib.suppress(OSError):
                self.cold.keep_alone()
        for home in self.each():
            home.remove()

    def release(self) -> None:
        """Show no life any more, without touching a file."""
        for home in self.each():
            home.release()


def make_homes(
    info: ProducerInfo,
    hot: Path | None,
    cold: Path | None,
    say: Callable[[Path, OSError], None],
) -> Homes:
    """Make the homes of a spool in their roots; what cannot be made is left out, and said."""
    drafts: dict[str, _Draft] = {}
    roots = {name: root for name, root in (("cold", cold), ("hot", hot)) if root is not None}
    for name, root in roots.items():
        try:
            drafts[name] = _Draft(root, info.producer)
        except OSError as error:
            say(root, error)
    while drafts:
        whole = replace(
            info,
            hot=_place(drafts.get("hot")),
            cold=_place(drafts.get("cold")),
            shows_life=tuple(name for name, draft in drafts.items() if draft.shows_life),
        )
        refused = _finish(drafts, whole)
        if refused is None:
            break
        name, reason = refused
        say(roots[name], reason)
        drafts.pop(name).discard()
    made = {name: draft.home() for name, draft in drafts.items()}
    return Homes(made.get("hot"), made.get("cold"))


def _finish(drafts: dict[str, _Draft], info: ProducerInfo) -> tuple[str, OSError] | None:
    """Describe all, then show all; return which could not, and why."""
    for step in (lambda draft: draft.describe(info), _Draft.show):
        for name, draft in drafts.items():
            try:
                step(draft)
            except OSError as error:
                return name, error
    return None


class _Draft:
    """A home in the making."""

    def __init__(self, root: Path, producer: str) -> None:
        self._hidden = root / f".{producer}"
        self._shown = root / producer
        self._path = self._hidden
        _make_directory(self._hidden)
        try:
            self._prepare()
        except BaseException:
            shutil.rmtree(self._hidden, ignore_errors=True)
            raise

    def _prepare(self) -> None:
        directory = os.open(self._hidden, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            found = os.fstat(directory)
            self.place: Place = (found.st_dev, found.st_ino)
            write_file(self._hidden / DESCRIPTION, b" " * _BLOCK_BYTES)
            self._life, self.shows_life = keep_alive(DESCRIPTION, directory)
            self._lock = lifted(os.open(self._hidden / DESCRIPTION, os.O_RDWR | os.O_CLOEXEC))
        finally:
            os.close(directory)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:  # nobody else knows the name
                raise
        # else the file system knows no locks: the mapping and the process prove the same

    def describe(self, info: ProducerInfo) -> None:
        """Write `producer.json`; whoever finds it looks away while its owner lives."""
        content = info.dump()
        os.pwrite(self._lock, content.ljust(_BLOCK_BYTES), 0)

    def show(self) -> None:
        """Let the directory appear under its name."""
        if self._path == self._hidden:
            self._hidden.rename(self._shown)
            self._path = self._shown

    def discard(self) -> None:
        """Delete it."""
        self.home().remove()

    def home(self) -> Home:
        """Return the finished home."""
        return Home(self._path, self.place, self._life, self._lock)


def _make_directory(path: Path) -> None:
    for attempt in range(_ATTEMPTS):
        make_folder(path.parent)
        try:
            path.mkdir(mode=0o700)
        except FileNotFoundError:  # somebody removed the root as empty
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _place(draft: _Draft | None) -> Place | None:
    return draft.place if draft else None


_held: weakref.WeakSet[Home] = weakref.WeakSet()


def _leave_to_parent() -> None:
    # A lock and a mapping are gone when their last copies are: those in a child that outlives its
    # parent would make the parent's spool look like that of a living process.
    for home in list(_held):
        home.release()


os.register_at_fork(after_in_child=_leave_to_parent)
