"""Finding runs among very many: by a label, in the order of a metric, on both databases."""

from __future__ import annotations

import os
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.figures import Bound, Row, percentile
from consumers.store.found import fact, peak
from consumers.store.schema import job, run
from consumers.store.sql import RowWriter
from consumers.views.opening import open_databases, open_views
from consumers.views.run_state.fold import RunStateView
from synapse_stream.ports.filters.facts import Fact, facts
from synapse_stream.ports.filters.search import Wanted
from tests.support.events import ended, started
from tests.support.folding import scene
from tests.support.postgres import PostgresServer, find_programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.stage import Stage
    from consumers.store.databases import Databases
    from consumers.store.engine import Database
    from synapse_stream import Settings

RUNS = int(os.environ.get("BENCH_RUNS", "200000"))
LOOKS = 60
AT_ONCE = 20_000
BEGIN_US = 1_763_880_000_000_000
STATUSES = ("completed", "completed", "completed", "failed", "running")
ASKED = (
    ("a label of a thousandth, by a metric", "labels.sweep = 's{n}'", "metrics.loss.min"),
    ("a label of a tenth, by a metric", "labels.team = 't{m}'", "-metrics.acc.best"),
    ("a param and a metric", "params.lr = 0.{m} AND metrics.loss < 0.9", "metrics.loss"),
    ("the newest of a label and a status", "labels.team = 't{m}' AND status = failed", ""),
)
SWEEPS = max(1, RUNS // 1000)


def rows(stage: Stage) -> Iterator[Row]:
    """A page of 100 of what a filter finds, p95."""
    programs = find_programs()
    with _store(stage.settings(store_url=f"sqlite:///{stage.root}/runs")) as settings:
        yield from _measured(settings, "SQLite")
    if programs is None:
        yield Row("runs, PostgreSQL", "ms", void="no PostgreSQL programs")
        return
    with (
        PostgresServer(programs) as server,
        server.database() as url,
        _store(stage.settings(store_url=url)) as settings,
    ):
        yield from _measured(settings, "PostgreSQL")


def _measured(settings: Settings, name: str) -> Iterator[Row]:
    views = open_views(settings)
    chance = random.Random(1)
    for what, text, sort in ASKED:
        took = []
        for _ in range(LOOKS):
            filled = text.format(n=chance.randrange(SWEEPS), m=chance.randrange(1, 10))
            wanted = Wanted.of(filled, sort, "params.lr,metrics.loss", now_us=BEGIN_US)
            start = time.perf_counter()
            hits = views.find(wanted, limit=100)
            took.append(1e3 * (time.perf_counter() - start))
            assert len(hits.found) == 100, (filled, len(hits.found))
        title = f"{RUNS:,} runs on {name}: {what}, p95"
        yield Row(title, "ms", [percentile(took, 0.95)], bound=Bound(100, on="ours"))
    views.close()


@contextmanager
def _store(settings: Settings) -> Iterator[Settings]:
    """Fill a store as consumers would have, many rows at once."""
    databases = open_databases(settings)
    try:
        _fill(databases)
        yield settings
    finally:
        databases.close()


def _fill(databases: Databases) -> None:
    states, metrics = databases.of("run-state"), databases.of("metric-history")
    document = scene(started(), ended("completed")).fold(RunStateView).document()
    base = RUNS if states is metrics else 0
    for begin in range(0, RUNS, AT_ONCE):
        numbers = range(begin, min(RUNS, begin + AT_ONCE))
        made = [_facts(n) for n in numbers]
        _write(states, job, [(n + 1, "run-state", _name(n), 0, document) for n in numbers])
        _write(states, run, [_run(n) for n in numbers])
        _write(
            states,
            fact,
            [
                row
                for n, of_run in zip(numbers, made, strict=True)
                for row in ((n + 1, name, *_columns(one)) for name, one in of_run.items())
            ],
        )
        other = [(n + 1 + base, "metric-history", _name(n), 0, document) for n in numbers]
        _write(metrics, job, other)
        _write(metrics, peak, [row for n in numbers for row in _peaks(n, n + 1 + base)])
    for database in {states, metrics}:
        if not database.is_sqlite:
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as it:
                it.exec_driver_sql("VACUUM ANALYZE")


def _write(database: Database, table: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    with database.write("filling a bench") as connection:
        RowWriter(table).write(connection, rows)


def _name(number: int) -> str:
    return f"{number:08x}-4a1c-run-of-the-bench"


def _run(n: int) -> tuple[Any, ...]:
    begin = BEGIN_US + n * 1_000_000
    of_job = (n + 1, _name(n), begin // 1000, 0)
    return (*of_job, _status(n), "train", 0, None, 1, 1000, 50.0, n % 977, begin, None, b"12345678")


def _status(n: int) -> str:
    return STATUSES[n * 2_654_435_761 % 4_294_967_296 % 5]


def _facts(n: int) -> dict[str, Fact]:
    named = {"job": _name(n), "action": "train", "plugin": "digits"}
    if _status(n) == "failed":
        named["error"] = f"ValueError: {n % 100}"
    labels = {"team": f"t{n * 7 % 10}", "sweep": f"s{n % SWEEPS}", "owner": f"o{n % 50}"}
    params = {"lr": n * 3 % 10 / 10, "seed": n, "model": f"m{n % 20}", "layers": n % 9}
    return facts(named, labels, params)


def _columns(one: Fact) -> tuple[Any, ...]:
    return one.text, None, one.number, one.is_text


def _peaks(n: int, no: int) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(n)
    for name in ("acc", "loss", "lr"):
        low = chance.random()
        yield no, 1, name, 0, "fit", low, low + 0.1, low + 0.05
