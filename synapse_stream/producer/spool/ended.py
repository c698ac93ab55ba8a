"""`.ended`: which spools of a root are complete on the server, and how far that had come.

They stay for the rewind window. Looking into a thousand of them takes a second; reading here what
they hold, and asking the server for all at once, takes a hundredth. A line may be missing: then the
spool itself is looked at.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

import orjson

from synapse_stream.system.private import open_own, replace_file

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_FILE = ".ended"
_KEPT_FOR_NOTHING = 1000


class Ended(NamedTuple):
    """A spool of which the server had everything."""

    producer: str
    job_id: str
    name: str
    """Under which its last events went."""
    number: int
    hash: str
    deployment: str
    time: float
    """When it was last written to."""


def note_ended(root: Path, ended: Ended) -> None:
    """Add a spool; where it cannot be written nothing is lost."""
    with contextlib.suppress(OSError):
        descriptor = open_own(root / _FILE, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, orjson.dumps([*ended], option=orjson.OPT_APPEND_NEWLINE))
        finally:
            os.close(descriptor)


def read_ended(root: Path) -> dict[str, Ended]:
    """Return what is noted, by producer."""
    try:
        lines = (root / _FILE).read_bytes().split(b"\n")
    except OSError:
        return {}
    found = {}
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):
            ended = Ended(*orjson.loads(line))
            found[ended.producer] = ended
    return found


def forget_ended(root: Path, noted: Mapping[str, Ended], there: Collection[str]) -> None:
    """Write the file anew when most of what it says is of spools that are gone."""
    kept = [ended for name, ended in noted.items() if name in there]
    if len(noted) - len(kept) < max(_KEPT_FOR_NOTHING, len(kept)):
        return
    with contextlib.suppress(OSError):
        replace_file(root / _FILE, b"".join(orjson.dumps([*ended]) + b"\n" for ended in kept))
