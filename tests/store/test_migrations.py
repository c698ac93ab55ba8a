"""A database brings itself to the schema of the program, whoever comes first."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from consumers.errors import StoreUnavailable
from consumers.store.columns import metadata
from consumers.store.migrate import SCRIPTS
from consumers.store.schema import HEAD
from consumers.views.opening import open_store, open_views
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.store.store import Store
    from synapse_stream.settings import Settings

PROJECTIONS = ("run-state", "metric-history", "message-feed")
SECONDS = 3600.0


PROGRAM = """
import sys
from pathlib import Path
from consumers.views.opening import open_store
from synapse_stream.settings import Settings

data_dir, url, number = Path(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3])
store = open_store(Settings(data_dir=data_dir, store_url=url))
print("ready", flush=True)
sys.stdin.readline()
for projection in sys.argv[4:]:
    assert store.leases.acquire(projection, number, f"owner {number}", 3600) is not None
print("done", flush=True)
store.close()
"""


def open_in_a_process(settings: Settings, number: int) -> subprocess.Popen[str]:
    """Start a process that waits for a line, then opens the store and takes partition `number`."""
    arguments = (str(settings.data_dir), settings.store_url or "", str(number), *PROJECTIONS)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(300)  # four at once, each of which loads Alembic
def test_four_processes_that_open_a_new_store_at_once_all_find_it_ready(
    settings: Settings, new_store: Callable[[], Store]
) -> None:
    processes = [open_in_a_process(settings, number) for number in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate() for process in processes]

    assert ends == [("done\n", "")] * 4
    store = new_store()
    for projection in PROJECTIONS:
        owners = [checkpoint.owner for checkpoint in store.leases.checkpoints(projection)]
        assert owners == [f"owner {number}" for number in range(4)]


def test_threads_that_open_a_new_store_at_once_all_find_it_ready(
    settings: Settings, new_store: Callable[[], Store]
) -> None:
    stores, together = [new_store() for _ in PROJECTIONS], threading.Barrier(len(PROJECTIONS))

    def ask(store: Store, projection: str) -> object:
        together.wait()
        store.databases.of(projection)
        return store.parked.count(projection)

    with ThreadPoolExecutor() as threads:
        assert list(threads.map(ask, stores, PROJECTIONS)) == [0, 0, 0]


def test_the_migrations_end_in_the_schema_of_the_program(store: Store) -> None:
    with store.databases.of("run-state").read("test") as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_database_has_the_whole_schema(store: Store) -> None:
    for projection in PROJECTIONS:
        with store.databases.of(projection).read("test") as connection:
            found = [connection.execute(table.select()).all() for table in metadata.sorted_tables]
        assert len(found) == len(metadata.sorted_tables)


def test_the_program_knows_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_newer_schema_is_refused_and_left_as_it_is(store: Store, settings: Settings) -> None:
    with store.databases.of("run-state").write("test") as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigError, match=f"schema 9999, this program knows up to {HEAD}"):
        open_store(settings).parked.count("run-state")

    with store.databases.of("run-state").read("test") as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    assert version == "9999"


@pytest.mark.parametrize("other", [{"namespace": "other"}, {"partitions": 7}], ids=str)
def test_the_store_of_another_deployment_is_refused(
    store: Store, settings: Settings, other: dict[str, object]
) -> None:
    store.databases.of("run-state")

    with pytest.raises(ConfigError, match="has the views of namespace 'synapse' with 16"):
        open_views(settings.model_copy(update=other)).state("job")


def test_a_sqlite_store_is_one_file_a_projection_in_wal_mode(
    store: Store, settings: Settings
) -> None:
    if settings.store_url is not None:
        pytest.skip("PostgreSQL keeps all in one database")
    for projection in PROJECTIONS:
        with store.databases.of(projection).read("test") as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000

    files = sorted(path.name for path in (settings.data_dir / "views").glob("*.db"))
    assert files == sorted(f"{projection}.db" for projection in PROJECTIONS)


def test_a_file_that_is_no_database_is_named(settings: Settings) -> None:
    if settings.store_url is not None:
        pytest.skip("PostgreSQL has no such file")
    (settings.data_dir / "views").mkdir()
    (settings.data_dir / "views" / "run-state.db").write_bytes(b"no database" * 1000)

    with pytest.raises(StoreUnavailable, match=r"run-state\.db is damaged"):
        open_store(settings).parked.count("run-state")
