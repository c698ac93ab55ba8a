"""Which format files are of, and the runs in them."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError
from synapse_stream.integrations.files import jsonlines, mlflow, tensorboard, trackio, wandb

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.integrations.files.jsonlines import Mapping
    from synapse_stream.integrations.files.source import Source

_SQLITE = b"SQLite format 3\0"
_OURS = b'{"synapse_stream_export"'  # of an export that somebody has unpacked
KNOWN = (
    "TensorBoard's event files, a folder or SQLite database of MLflow, W&B's offline runs, "
    "trackio's database, or JSON Lines with --map"
)


def sources(path: Path, mapping: Mapping | None = None) -> list[Source] | None:
    """Return the runs of a file or folder; None for what may be an export of our own.

    Raises:
        ConfigError: nothing of a known format is there.
        OSError: it cannot be read.
    """
    if path.is_dir():
        found = mlflow.folders(path) or tensorboard.sources(path) or wandb.sources(path)
    elif mapping is not None:
        found = [jsonlines.source(path, mapping)]
    else:
        with path.open("rb") as file:
            head = file.read(len(_OURS))
        if head.startswith(_SQLITE):
            found = _of_database(path)
        elif tensorboard.PART_OF_NAME in path.name:
            found = tensorboard.sources(path)
        elif head.startswith(wandb.MAGIC):
            found = wandb.sources(path)
        elif head.startswith(b"{") and head != _OURS:
            msg = f"{path}: say by --map what the fields of its lines are"
            raise ConfigError(msg)
        else:
            return None
    if not found:
        msg = f"{path}: there is no run of a known format: {KNOWN}, or what `export` wrote as jsonl"
        raise ConfigError(msg)
    return found


def _of_database(path: Path) -> list[Source]:
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        tables = {
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        }
        if {"runs", "metrics", "params", "tags", "experiments"} <= tables:
            return mlflow.of_database(path, database)
        return trackio.of_database(path, database) if "metrics" in tables else []
    except sqlite3.Error as error:
        msg = f"{path} is a damaged database, or one of another program: {error}"
        raise ConfigError(msg) from error
