"""At most one of a kind in a directory, and what the others can learn about it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.errors import ConfigError
from synapse_stream.system.private import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class RunsAlready(Exception):
    """Another process is the one; `about` is what it said of itself, maybe nothing yet."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        super().__init__("it runs already")
        self.about = about


@contextmanager
def single(path: Path, about: Mapping[str, Any]) -> Iterator[None]:
    """Hold the lock at `path`, a file that then says `about`; a crash leaves no stale lock.

    Raises:
        RunsAlready: another process holds it.
        ConfigError: the file cannot be made.
    """
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"{path.parent} cannot be used: {error}"
        raise ConfigError(msg) from error
    try:
        _lock(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, orjson.dumps(about))
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> Mapping[str, Any] | None:
    """Return what the process that holds the lock at `path` said of itself; None if none does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _said(path)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunsAlready(_said(path)) from None


def _said(path: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return about
