"""trackio's database of a project."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from synapse_stream.events.tags import NON_FINITE
from synapse_stream.integrations.files.source import Found, Source, Trouble, digest, entry, metrics
from synapse_stream.integrations.values import split

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

_SYSTEM = "system"


def of_database(path: Path, database: sqlite3.Connection) -> list[Source]:
    """Return the runs of a project."""
    whole = digest([(path.name, path)])
    column = "run_id" if "run_id" in _columns(database, "metrics") else "run_name"
    configs = {} if not _columns(database, "configs") else _configs(database, column)
    query = f"SELECT {column}, MIN(run_name) FROM metrics GROUP BY 1 ORDER BY MIN(id)"  # noqa: S608
    return [
        Source(
            "trackio",
            f"{path}, run {name}",
            whole,
            partial(_read, database, column, run),
            run if column == "run_id" else f"{path.stem}.{run}",
            {"project": path.stem, "run": name},
            configs.get(run),
        )
        for run, name in database.execute(query).fetchall()
    ]


def _configs(database: sqlite3.Connection, column: str) -> dict[str, Any]:
    found = {}
    for run, text in database.execute(f"SELECT {column}, config FROM configs"):  # noqa: S608
        try:
            config = json.loads(text)
        except ValueError:
            config = {"config": str(text)}
        found[run] = {name: value for name, value in config.items() if not name.startswith("_")}
    return found


def _read(database: sqlite3.Connection, column: str, run: str) -> Iterator[Found | Trouble]:
    query = f"SELECT id, timestamp, step, metrics FROM metrics WHERE {column} = ? ORDER BY id"  # noqa: S608
    for number, time, step, text in database.execute(query, (run,)):
        yield from _row("metrics", number, time, text, step, None)
    if _columns(database, "system_metrics") and column in _columns(database, "system_metrics"):
        query = f"SELECT id, timestamp, metrics FROM system_metrics WHERE {column} = ? ORDER BY id"  # noqa: S608
        for number, time, text in database.execute(query, (run,)):
            yield from _row("system_metrics", number, time, text, None, _SYSTEM)


def _row(
    table: str, number: int, time: str, text: Any, x: Any, step: str | None
) -> Iterator[Found | Trouble]:
    try:
        time_us = _time_us(time)
        numbers, rest = split(_with_numbers(json.loads(text)), "/")
    except (ValueError, TypeError, AttributeError) as error:
        yield Trouble(f"row {number} of {table}: {error}")
        return
    if numbers:
        yield metrics(time_us, dict(numbers), x, step)
    if rest:
        yield entry(time_us, "row", rest if x is None else {"x": x, **rest})


def _with_numbers(value: Any) -> Any:
    """Return what trackio has written as text for lack of a JSON number."""
    if isinstance(value, dict):
        return {name: _with_numbers(inner) for name, inner in value.items()}
    return NON_FINITE.get(value, value) if isinstance(value, str) else value


def _time_us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")}
