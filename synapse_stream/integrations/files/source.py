"""A run as it is found in files, whatever their format."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from synapse_stream.models import RunStatus

_PIECE_BYTES = 1024 * 1024


class Found(NamedTuple):
    """One event of it."""

    time_us: int
    kind: str
    fields: dict[str, Any]
    step: str | None = None


class Trouble(NamedTuple):
    """What is not there: damaged, or of a kind that a job has no place for."""

    text: str
    is_damage: bool = True


@dataclass(frozen=True)
class Source:
    """One run, and how it is read."""

    format: str
    name: str
    """Where it was found, for people."""
    sha256: str
    """Digest of all of its files."""
    read: Callable[[], Iterator[Found | Trouble]]
    """Yields what is there in the order of the files, and what cannot be read in its place."""
    proposed: str
    """What the job may be called."""
    labels: dict[str, Any] = field(default_factory=dict)
    params: Any = None
    status: RunStatus | None = None
    """How it ended; None: the files do not say."""


def digest(files: Iterable[tuple[str, Path]]) -> str:
    """Return the SHA-256 of one file, or of several with their names, in hex."""
    named = list(files)
    whole = sha256()
    for name, path in named:
        one = whole if len(named) == 1 else sha256()
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                one.update(piece)
        if one is not whole:
            whole.update(f"{one.hexdigest()}  {name}\n".encode())
    return whole.hexdigest()


def metrics(time_us: int, values: dict[str, Any], x: Any = None, step: str | None = None) -> Found:
    """Return an event of metrics."""
    fields = {"values": values} if x is None else {"values": values, "x": x}
    return Found(time_us, "metrics", fields, step)


def entry(time_us: int, event: str, data: dict[str, Any], level: str = "info") -> Found:
    """Return a `log` event."""
    return Found(time_us, "log", {"event": event, "data": data, "level": level})
