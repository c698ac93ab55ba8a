"""What is written down beside the segments, a line at a time: each file is only ever added to.

- `deployment`: ids of the deployments that accepted something of this spool.
- `names`: under which names the producer went on, JSON lines, written before it does.
- `children`: the child processes of the run that report, `producer pid`.

A line that a SIGKILL tore has no newline and is left out.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

import orjson

from synapse_stream.system.private import open_own

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DEPLOYMENT, NAMES, CHILDREN = "deployment", "names", "children"


class Name(NamedTuple):
    """A name under which a spool's events went on."""

    producer: str
    start: int
    """Number in the spool of the first event that goes by this name."""
    time: int
    """When it began, in microseconds since the epoch."""


class ChildNote(NamedTuple):
    """A child process that reports."""

    producer: str
    pid: int


def claim(homes: Iterable[Path], deployment: str) -> None:
    """Note that a deployment accepted something.

    Raises:
        OSError: it cannot be written.
    """
    for home in homes:
        if deployment not in claims([home]):
            _add(home / DEPLOYMENT, deployment.encode())


def claims(homes: Iterable[Path]) -> list[str]:
    """Return the deployments that accepted something, the first one first."""
    found = [line.decode() for home in homes for line in _lines(home / DEPLOYMENT)]
    return list(dict.fromkeys(found))


def note_name(home: Path, name: Name) -> None:
    """Note that the producer is about to go on under another name.

    Raises:
        OSError: it cannot be written.
    """
    _add(home / NAMES, orjson.dumps(name._asdict()))


def names(homes: Iterable[Path]) -> list[Name]:
    """Return the names in order; the home that has more of them is right."""
    found = [[_name(line) for line in _lines(home / NAMES)] for home in homes]
    return [name for name in max(found, key=len, default=[]) if name is not None]


def note_child(homes: Iterable[Path], child: ChildNote) -> None:
    """Note a child in its parent's homes, as far as they are there and take it."""
    for home in homes:
        with contextlib.suppress(OSError):
            _add(home / CHILDREN, f"{child.producer} {child.pid}".encode())


def children(homes: Iterable[Path]) -> list[ChildNote]:
    """Return the children that reported, in the order in which they began."""
    found: dict[str, ChildNote] = {}
    for home in homes:
        for line in _lines(home / CHILDREN):
            producer, _, pid = line.decode(errors="replace").partition(" ")
            if pid.isdecimal():
                found.setdefault(producer, ChildNote(producer, int(pid)))
    return list(found.values())


def _name(line: bytes) -> Name | None:
    try:
        found = orjson.loads(line)
        return Name(str(found["producer"]), int(found["start"]), int(found["time"]))
    except (ValueError, KeyError, TypeError):
        return None


def _add(path: Path, line: bytes) -> None:
    descriptor = open_own(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, line + b"\n")  # one call: lines of several processes do not mix
    finally:
        os.close(descriptor)


def _lines(path: Path) -> list[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return []
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        return file.read().split(b"\n")[:-1]
