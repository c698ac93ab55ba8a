"""Finding spools: the directories of all producers, in shared memory and on disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.errors import DecodeError
from synapse_stream.producer.adoption.evidence import COLD, HOT
from synapse_stream.producer.adoption.left import LeftHome
from synapse_stream.producer.spool.info import DESCRIPTION
from synapse_stream.producer.spool.roots import (
    MEMORY_NAMES,
    REMOVED,
    find_hot_root,
    folders,
    is_folder,
    read_name,
    roots_in,
)
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DRAFT_SECONDS = 60.0
"""To make the homes of a spool takes milliseconds."""


class Pair(NamedTuple):
    """A spool root on disk and its counterpart in shared memory; None for one that is not there."""

    hot: Path | None
    cold: Path | None

    def named(self) -> Mapping[str, Path]:
        """Return those that are there, `hot` before `cold`."""
        return {name: root for name, root in ((HOT, self.hot), (COLD, self.cold)) if root}


def own_pair(settings: Settings) -> Pair:
    """Return the roots of `settings`."""
    cold = settings.spool_root
    hot = find_hot_root(cold, settings.memory_dir)
    return Pair(hot, cold if is_folder(cold) else None)


def all_pairs(settings: Settings) -> list[Pair]:
    """Return the roots on this host that can be found, of all users, those of `settings` first.

    Shared memory is looked through; of disks the default places, and those that somebody's shared
    memory tells of.
    """
    own = own_pair(settings)
    pairs = [own]
    memory = settings.memory_dir
    pairs += [Pair(_memory_of(cold, memory), cold) for cold in _usual_roots() if is_folder(cold)]
    pairs += [Pair(root, _disk_of(root)) for root in roots_in(memory)]
    seen: set[Path] = set()
    found = []
    for pair in pairs:
        here = {path for path in pair if path is not None}
        if here and not here <= seen:
            found.append(pair)
        seen |= here
    return found


def spools(settings: Settings) -> dict[str, list[Path]]:
    """Return every spool of `settings`, of living processes too: producer → hot and cold home."""
    found: dict[str, list[Path]] = {}
    for root in own_pair(settings).named().values():
        for name in names_in(root):
            if (root / name / DESCRIPTION).exists():
                found.setdefault(name, []).append(root / name)
    return found


def names_in(root: Path) -> list[str]:
    """Return what is in a root under a name that is not hidden; none when it cannot be read."""
    try:
        with os.scandir(root) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def bury(root: Path) -> None:
    """Delete what somebody was killed over while deleting or making it."""
    for path in folders(root, ".*"):
        if path.name.endswith(REMOVED) or _is_dead_draft(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_dead_draft(path: Path) -> bool:
    """Tell whether nobody makes a spool of this hidden directory any more."""
    try:
        if time.time() - path.stat().st_mtime < _DRAFT_SECONDS:
            return False
        with LeftHome(path) as draft:
            return draft.is_kept() is not True and draft.try_lock() is not False
    except OSError:
        return False


def _usual_roots() -> Iterator[Path]:
    """Yield the spool roots that users have when nothing is set; root sees those of all."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        yield Settings().spool_root
    if os.geteuid() != 0:
        return
    import pwd  # noqa: PLC0415 - for root only

    for user in pwd.getpwall():
        yield Path(user.pw_dir, ".local", "share", "synapse-stream", "spool")


def _memory_of(cold: Path, memory: Path) -> Path | None:
    """Return the shared memory of a root on disk, whoever's it is."""
    try:
        name, owner = read_name(cold), cold.stat().st_uid
    except OSError:
        return None
    if name is None:
        return None
    path = memory / MEMORY_NAMES.replace("*", str(owner)) / name
    return path if is_folder(path) else None


def _disk_of(hot: Path) -> Path | None:
    """Return the root on disk that belongs to one in shared memory, as its spools tell."""
    for name in names_in(hot):
        with contextlib.suppress(OSError, DecodeError), LeftHome(hot / name) as home:
            cold = Path(home.describe().spool_root)
            if cold.is_absolute() and is_folder(cold) and cold.stat().st_uid == home.uid:
                return cold
    return None
