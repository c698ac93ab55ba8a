"""MLflow's stores: a folder of files, or a database of SQLite."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from synapse_stream.integrations.files.source import Found, Source, Trouble, digest, metrics
from synapse_stream.models import RunStatus

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

META = "meta.yaml"
_FORMAT = "mlflow"
_ENDS = {
    "3": RunStatus.COMPLETED,
    "4": RunStatus.FAILED,
    "5": RunStatus.CANCELLED,
    "FINISHED": RunStatus.COMPLETED,
    "FAILED": RunStatus.FAILED,
    "KILLED": RunStatus.CANCELLED,
}
_OWN = "mlflow."


def folders(path: Path) -> list[Source]:
    """Return the runs of a folder: of a store, an experiment, or one run."""
    return [
        _of_folder(meta.parent)
        for meta in sorted(path.rglob(META))
        if (meta.parent / "metrics").is_dir() or (meta.parent / "params").is_dir()
    ]


def _of_folder(home: Path) -> Source:
    meta = _flat_yaml((home / META).read_text(errors="replace"))
    tags = {name: text for name, text in _texts(home / "tags") if not name.startswith(_OWN)}
    name = meta.get("run_name") or meta.get("name") or home.name
    files = sorted(file for file in home.rglob("*") if file.is_file() and _is_told(home, file))
    labels = {"run": name, "experiment_id": meta.get("experiment_id", home.parent.name), **tags}
    return Source(
        _FORMAT,
        str(home),
        digest((str(file.relative_to(home)), file) for file in files),
        partial(_read_folder, home / "metrics"),
        meta.get("run_id", home.name),
        labels,
        dict(_texts(home / "params")) or None,
        _ENDS.get(meta.get("status", "")),
    )


def _is_told(home: Path, file: Path) -> bool:
    """Tell whether it is no artifact."""
    return file.relative_to(home).parts[0] in {META, "metrics", "params", "tags"}


def _read_folder(home: Path) -> Iterator[Found | Trouble]:
    points: list[Found] = []
    for file in sorted(home.rglob("*")):
        if not file.is_file():
            continue
        name = str(file.relative_to(home))
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            try:
                time_ms, value, step, *_ = [*line.split(), "0"]
                points.append(metrics(int(time_ms) * 1000, {name: float(value)}, int(step)))
            except ValueError as error:
                yield Trouble(f"metric {name}, line {number}: {error}")
    yield from sorted(points, key=lambda point: point.time_us)


def _texts(home: Path) -> Iterator[tuple[str, str]]:
    if home.is_dir():
        for file in sorted(home.rglob("*")):
            if file.is_file():
                yield str(file.relative_to(home)), file.read_text(errors="replace")


def _flat_yaml(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith((" ", "-")))
    return {name: value.strip().strip("'\"") for name, _, value in pairs}


def of_database(path: Path, database: sqlite3.Connection) -> list[Source]:
    """Return the runs of a database."""
    whole = digest([(path.name, path)])
    found = []
    query = (
        "SELECT run_uuid, runs.name, status, experiments.name FROM runs "
        "LEFT JOIN experiments USING (experiment_id) ORDER BY start_time, run_uuid"
    )
    for run_id, name, status, experiment in database.execute(query):
        params = dict(
            database.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,))
        )
        tags = database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,))
        own = {key: value for key, value in tags if not key.startswith(_OWN)}
        found.append(
            Source(
                _FORMAT,
                f"{path}, run {run_id}",
                whole,
                partial(_read_database, database, run_id),
                run_id,
                {"run": name, "experiment": experiment, **own},
                params or None,
                _ENDS.get(status),
            )
        )
    return found


def _read_database(database: sqlite3.Connection, run_id: str) -> Iterator[Found | Trouble]:
    query = (
        "SELECT timestamp, key, value, is_nan, step FROM metrics WHERE run_uuid = ? "
        "ORDER BY timestamp, rowid"
    )
    for time_ms, key, value, is_nan, step in database.execute(query, (run_id,)):
        number: Any = math.nan if is_nan else value
        yield metrics(time_ms * 1000, {key: number}, step)
