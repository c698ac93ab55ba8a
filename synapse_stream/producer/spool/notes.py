"""What is written down beside the segments, a line at a time: each file is only ever added to.

- `deployment`: ids of the deployments that accepted something of this spool.
- `names`: under which names the producer went on, JSON lines, written before it does.
- `children`: the child processes of the run that report; see `children`.

A line that a SIGKILL tore has no newline and is left out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import orjson

from synapse_stream.system.descriptors import SET_ASIDE
from synapse_stream.system.private import open_own

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DEPLOYMENT, NAMES = "deployment", "names"


class Name(NamedTuple):
    """A name under which a spool's events went on."""

    producer: str
    start: int
    """Number in the spool of the first event that goes by this name."""
    time: int
    """When it began, in microseconds since the epoch."""


def claim(homes: Iterable[Path], deployment: str) -> None:
    """Note that a deployment accepted something.

    Raises:
        OSError: it cannot be written.
    """
    for home in homes:
        if deployment not in claims([home]):
            add_line(home / DEPLOYMENT, deployment.encode())


def claims(homes: Iterable[Path]) -> list[str]:
    """Return the deployments that accepted something, the first one first."""
    found = [line.decode() for home in homes for line in lines(home / DEPLOYMENT)]
    return list(dict.fromkeys(found))


def note_name(home: Path, name: Name) -> None:
    """Note that the producer is about to go on under another name.

    Raises:
        OSError: it cannot be written.
    """
    add_line(home / NAMES, orjson.dumps(name._asdict()))


def names(homes: Iterable[Path]) -> list[Name]:
    """Return the names in order; the home that has more of them is right."""
    found = [[_name(line) for line in lines(home / NAMES)] for home in homes]
    return [name for name in max(found, key=len, default=[]) if name is not None]


def _name(line: bytes) -> Name | None:
    try:
        found = orjson.loads(line)
        return Name(str(found["producer"]), int(found["start"]), int(found["time"]))
    except (ValueError, KeyError, TypeError):
        return None


@SET_ASIDE.lent()
def add_line(path: Path, line: bytes) -> None:
    """Add a line to a file, which is made if it is not there.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = open_own(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, line + b"\n")  # one call: lines of several processes do not mix
    finally:
        os.close(descriptor)


def lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file; none of one that is not there or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return []
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        return file.read().split(b"\n")[:-1]
