"""No error of SQLAlchemy or of a driver leaves the store; each says what, where and why."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy.exc
from psycopg import errors

from consumers.errors import StoreUnavailable
from consumers.store.engine import open_postgres
from consumers.store.failures import translate
from consumers.views.opening import open_databases, open_store, open_views
from synapse_stream.errors import ConfigError
from synapse_stream.settings import Settings
from tests.store.jobs import MESSAGES, RUN_STATE, SECONDS, Committer, message, started
from tests.support.postgres import own_server
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumers.store.lease import Lease
    from consumers.store.store import Store


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for one in kind.__subclasses__():
        yield from subclasses(one)


def instance(kind: type[BaseException]) -> BaseException:
    """Make an error without knowing what its class wants."""
    if issubclass(kind, sqlalchemy.exc.StatementError):
        before = ("message",) if kind is sqlalchemy.exc.StatementError else ()
        arguments: Any = ("INSERT secret", {"a": "secret"}, sqlite3.OperationalError("its words"))
        return kind(*before, *arguments)
    error = kind.__new__(kind)
    error.args = ("the driver's words",)
    return error


DRIVERS = sorted({*subclasses(sqlite3.Error), *subclasses(psycopg.Error)}, key=repr)
ALCHEMY = sorted(subclasses(sqlalchemy.exc.SQLAlchemyError), key=repr)


def test_there_are_classes_to_walk() -> None:
    assert {sqlite3.OperationalError, errors.SerializationFailure} <= set(DRIVERS)
    assert {sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError} <= set(ALCHEMY)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_class_of_error_becomes_ours(kind: str, tmp_path: Path) -> None:
    url = "postgresql://user:secret@host/views" if kind == "postgres" else None
    driver = psycopg.Error if kind == "postgres" else sqlite3.Error
    databases = open_databases(Settings(data_dir=tmp_path, store_url=url))
    database = open_postgres(url) if url else databases.of("run-state")
    known = [*subclasses(driver), *ALCHEMY]

    for error_class in known:
        with pytest.raises(StoreUnavailable) as caught, database.translated("testing"):
            raise instance(error_class)

        told = str(caught.value)
        assert told.startswith(f"the store {database.address} "), error_class
        assert "while testing" in told, error_class
        assert "secret" not in told, error_class
    databases.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.DiskFull(), "has no room left on its disk"),
        (errors.AdminShutdown(), "is stopping or starting"),
        (errors.CannotConnectNow(), "is stopping or starting"),
        (errors.TooManyConnections(), "has too many connections open"),
        (errors.InvalidPassword(), "did not accept the login"),
        (errors.InvalidCatalogName(), "has no such database"),
        (errors.ReadOnlySqlTransaction(), "is a read-only replica"),
        (errors.UndefinedTable(), "lacks a table"),
        (psycopg.OperationalError("connection refused"), "cannot be reached"),
        (sqlalchemy.exc.TimeoutError(), "has too many statements at work"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_common_failures_are_explained(error: BaseException, reason: str) -> None:
    assert reason in str(translate(error, "here", "testing"))


def test_a_sqlite_error_is_explained_by_its_code(tmp_path: Path) -> None:
    locked = sqlite3.connect(tmp_path / "a.db", timeout=0)
    other = sqlite3.connect(tmp_path / "a.db", timeout=0)
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        other.execute("BEGIN EXCLUSIVE")
    locked.close()
    other.close()

    assert "is locked by another program" in str(translate(caught.value, "here", "testing"))


def test_a_full_disk_leaves_the_store_as_it_was_and_writing_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    store = open_store(Settings(data_dir=tmp_path))
    committer = Committer(store, MESSAGES)
    committer.commit({"job": [message("before")]})
    engine = store.databases.of("message-feed").engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    writes, _ = committer.fold({"job": [message("x" * 1000) for _ in range(200)]})

    with pytest.raises(StoreUnavailable, match="has no room left on its disk"):
        store.commit(committer.lease, (9, 9), writes, [], SECONDS)
    engine.dispose()
    store.commit(committer.lease, (9, 9), writes, [], SECONDS)

    views = open_views(Settings(data_dir=tmp_path))
    assert len(views.messages("job", limit=1000).messages) == 201
    store.close()
    views.close()


def test_a_locked_file_is_waited_for(tmp_path: Path) -> None:
    store = open_store(Settings(data_dir=tmp_path))
    committer = Committer(store, RUN_STATE)
    foreign = sqlite3.connect(
        tmp_path / "views" / "run-state.db", isolation_level=None, check_same_thread=False
    )
    foreign.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, foreign.rollback)
    release.start()

    committer.commit({"job": [started()]})

    release.join()
    foreign.close()
    assert store.jobs.load("run-state", ["job"])
    store.close()


@pytest.fixture
def crashing() -> Iterator[tuple[Any, Settings]]:
    """Start a PostgreSQL server that this test may crash."""
    with own_server() as server:
        yield server, Settings(store_url=server.url())


def test_a_database_that_restarts_is_unavailable_and_then_goes_on(
    crashing: tuple[Any, Settings],
) -> None:
    server, settings = crashing
    store = open_store(settings)
    committer = Committer(store, MESSAGES)
    committer.commit({"job": [message("before")]})
    server.crash()

    writes, _ = committer.fold({"job": [message("after")]})
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        store.commit(committer.lease, (9, 0), writes, [], SECONDS)
    server.start()
    store.commit(committer.lease, (9, 0), writes, [], SECONDS)

    views = open_views(settings)
    assert [m.content for m in views.messages("job").messages] == ["before", "after"]
    store.close()
    views.close()


def test_an_owner_that_is_stopped_in_a_transaction_loses_it_to_the_next(
    crashing: tuple[Any, Settings],
) -> None:
    """PostgreSQL ends a session that is idle in a transaction: its rows do not stay locked."""
    _, settings = crashing
    stalled, other = open_store(settings), open_store(settings)
    assert stalled.leases.acquire("run-state", 0, "stalled", 0.0) is not None
    taken: list[Lease] = []

    def stall() -> None:
        with stalled.databases.of("run-state").write("stalling") as connection:
            connection.exec_driver_sql("UPDATE checkpoint SET ms = 99")
            assert other.leases.acquire("run-state", 0, "other", SECONDS) is None
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 200")
            taken.append(wait_until(lambda: other.leases.acquire("run-state", 0, "other", SECONDS)))

    with stalled.databases.of("run-state").write("asking") as connection:
        limit = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
    with pytest.raises(StoreUnavailable):
        stall()

    assert limit == "10s"
    assert taken[0].position == (0, 0)
    stalled.close()
    other.close()


@pytest.mark.parametrize(
    "url",
    ["postgresql://host:port/db", "sqlite://", "sqlite:///"],
)
def test_a_wrong_url_is_a_config_error_that_names_it(url: str) -> None:
    with pytest.raises(ConfigError, match="SYNAPSE_STREAM_STORE_URL"):
        open_store(Settings(store_url=url))


@pytest.mark.parametrize("parameter", ["pgbouncer=true", "schema=views", "sslmodus=require"])
def test_a_parameter_that_is_none_of_postgresqls_is_named(parameter: str) -> None:
    with pytest.raises(ConfigError, match=f"parameter {parameter.partition('=')[0]}"):
        open_store(Settings(store_url=f"postgresql://kim:hunter2@host/views?{parameter}"))


@pytest.mark.parametrize(
    "parameter", ["sslmode=require", "application_name=x", "options=-csearch_path%3Dx"]
)
def test_parameters_of_postgresql_are_taken(parameter: str) -> None:
    open_postgres(f"postgresql://kim@host/views?{parameter}&keepalives_idle=5").close()


def test_a_wrong_url_does_not_show_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(Settings(store_url="postgresql://user:secret@host:port/db"))

    assert "secret" not in str(caught.value)


def test_an_unknown_scheme_is_refused_by_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"mysql://h/d.*one of postgresql, sqlite"):
        Settings.load({"SYNAPSE_STREAM_STORE_URL": "mysql://u:secret@h/d"})


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/views"
    store = open_store(Settings(store_url=url))

    with pytest.raises(StoreUnavailable, match=r"postgresql://127.* cannot be reached") as caught:
        store.parked.count("run-state")

    assert "secret" not in str(caught.value)


def test_a_relative_and_an_absolute_folder_hold_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///here/views", f"sqlite:///{tmp_path}/there"):
        store = open_store(Settings(store_url=url))
        store.databases.of("run-state")
        store.close()

    assert (tmp_path / "here/views/run-state.db").is_file()
    assert (tmp_path / "there/run-state.db").is_file()


def test_a_folder_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = open_store(Settings(store_url=f"sqlite:///{tmp_path}/file/views"))

    with pytest.raises(ConfigError, match="cannot use the folder"):
        store.databases.of("run-state")


def test_a_store_that_was_closed_connects_again(store: Store) -> None:
    assert store.parked.count("run-state") == 0
    store.close()

    assert store.parked.count("run-state") == 0
