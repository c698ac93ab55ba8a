"""Where anchors are kept: in a folder or in a database of their own; lines are only ever added.

It should be on another disk or machine than the store, under another user's rule.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from consumers.audit.anchors import Keys
from consumers.audit.signing import Signer
from consumers.store.anchors import AnchorDatabase
from synapse_stream.errors import ConfigError
from synapse_stream.system.private import make_file, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.settings import Settings

_TAIL_BYTES = 64 * 1024
_LONGEST_LINE = 16 * 1024 * 1024


Sign = Callable[[bytes | None], Iterable[bytes]]
"""Given the last line of a file, None where it has none: what is to be added."""


class Anchors(Protocol):
    """What holds anchors: one chain of lines, a *file*, a partition of a namespace."""

    def append(self, namespace: str, partition: int, sign: Sign) -> None:
        """Add to a file what `sign` makes of its last line, and keep it safe.

        Whoever else writes the file waits.

        Raises:
            OSError: it could not be written.
        """

    def files(self) -> Iterator[tuple[str, list[bytes]]]:
        """Yield the name of every file and its lines."""

    def name(self, namespace: str, partition: int) -> str:
        """Return what `files` calls the file of a partition."""

    def lines(self, namespace: str, partition: int) -> Iterator[bytes]:
        """Yield the lines of one file in order, a few in memory at a time."""


class AnchorFolder:
    """The anchor files of a folder, which is made if need be: JSON Lines, a file a partition."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, namespace: str, partition: int, sign: Sign) -> None:
        """Put it on the disk; a line that was torn by a crash is taken away first."""
        make_folder(self._folder)
        path = self._file(namespace, partition)
        _check_file(path)
        make_file(path)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.writelines(line + b"\n" for line in sign(_last_line(file.fileno())))
            file.flush()
            os.fsync(file.fileno())

    def files(self) -> Iterator[tuple[str, list[bytes]]]:
        """Yield the name of every file and its lines, without one that is just being written."""
        for path in sorted(self._folder.glob("*.jsonl")):
            if path.is_file():
                yield path.name, list(_lines(path))

    def name(self, namespace: str, partition: int) -> str:
        """Return the name of the file of a partition."""
        return self._file(namespace, partition).name

    def lines(self, namespace: str, partition: int) -> Iterator[bytes]:
        """Yield the lines of one file, without one that is just being written."""
        path = self._file(namespace, partition)
        if path.exists():
            yield from _lines(path)

    def _file(self, namespace: str, partition: int) -> Path:
        return self._folder / f"{namespace}.{partition}.jsonl"


def anchors_of(settings: Settings) -> Anchors | None:
    """Return where anchors are kept; None when that is not set.

    Raises:
        ConfigError: the URL is wrong, or its driver is not installed.
    """
    place = settings.anchors
    if isinstance(place, str):
        return AnchorDatabase(place)
    return AnchorFolder(place) if place else None


def signer_of(settings: Settings) -> Signer | None:
    """Return what signs anchors; None when there is no key.

    Raises:
        ConfigError: the key is none.
    """
    if settings.signing_key is None:
        return None
    text = settings.signing_key.get_secret_value()
    return Signer(_content("SYNAPSE_STREAM_SIGNING_KEY", text))


def keys_of(settings: Settings) -> Keys | None:
    """Return whose anchors are believed; None when there is no key.

    Raises:
        ConfigError: a key is none.
    """
    signer = signer_of(settings)
    found = [signer.public] if signer else []
    if settings.verify_keys:
        text = _content("SYNAPSE_STREAM_VERIFY_KEYS", settings.verify_keys)
        for word in text.decode().replace(",", " ").split():
            try:
                found.append(bytes.fromhex(word))
            except ValueError as error:
                msg = f"SYNAPSE_STREAM_VERIFY_KEYS: {word!r} is no Ed25519 public key in hex"
                raise ConfigError(msg) from error
    return Keys(found) if found else None


def _content(name: str, text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        msg = f"{name}: {error}"
        raise ConfigError(msg) from error


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, cut where one is longer than any anchor.

    Raises:
        OSError: it is no file.
    """
    _check_file(path)
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            if line.endswith(b"\n") or len(line) == _LONGEST_LINE:
                yield line.removesuffix(b"\n")


def _check_file(path: Path) -> None:
    """Raise OSError for a folder or a pipe, which would be waited for without end."""
    if path.exists() and not path.is_file():
        msg = f"{path} is no file, so it holds no anchors"
        raise OSError(msg)


def _last_line(file: int) -> bytes | None:
    """Return the last line, and take away what is torn behind it."""
    size = os.fstat(file).st_size
    tail, begin = b"", size
    while begin and tail.count(b"\n") < 2:  # noqa: PLR2004 - the line before it ends, too
        begin = max(0, begin - _TAIL_BYTES)
        tail = os.pread(file, size - begin, begin)
    whole, _, torn = tail.rpartition(b"\n")
    if torn:
        os.ftruncate(file, size - len(torn))
    return whole.rpartition(b"\n")[2] if whole else None
