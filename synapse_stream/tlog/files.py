"""Files that are there whole or not at all, and on the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from synapse_stream.system.private import make_folder

if TYPE_CHECKING:
    from pathlib import Path


def put(file: Path, content: bytes) -> None:
    """Put a file in its place, in that of one that is there.

    Raises:
        OSError: it could not be written.
    """
    make_folder(file.parent)
    new = file.with_name(f"{file.name}.new")
    with new.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
