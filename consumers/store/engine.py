"""A database of views: where it is, how its transactions begin, what its errors mean.

SQLite files are in WAL mode with `synchronous=NORMAL`: a commit outlives the death of its process,
but a power cut may take the last ones away. View and checkpoint go together, so what was taken is
projected again from the stream, as long as the stream has it: trim the stream only up to a position
that `make_durable` came after.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from consumers.errors import StoreUnavailable
from consumers.store.failures import VALUE_ERRORS, translate
from consumers.store.search import teach_sqlite
from consumers.store.sqlite_file import connect, is_writable
from synapse_stream.errors import ConfigError
from synapse_stream.redaction.urls import HOW_TO_WRITE, is_readable, mask_url, without_secrets
from synapse_stream.system.private import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Engine

_SQLITE = "sqlite:///"
_BUSY_SECONDS = 5.0
_NEW_FILE_SECONDS = 20.0
_POLL_SECONDS = 0.05
_CONNECT_SECONDS = 5
_CHECKPOINT_BYTES = 16 * 1024 * 1024
CACHE_BYTES = 2 * 1024 * 1024
WRITER_CACHE_BYTES = 64 * 1024 * 1024
"""Of each connection. Readers have many of them, and the system keeps a file's pages for all."""
PAGE_BYTES = 4 * 1024
BLOB_PAGE_BYTES = 16 * 1024
"""Page of a new file that holds little but large values: they are then written in a quarter less
time. Where small rows change it would cost more."""
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA secure_delete=OFF",
    "PRAGMA temp_store=MEMORY",
)
# A consumer that is stopped in the middle of a transaction must not hold its rows for ever. Said in
# each transaction that writes: a pooler refuses it as an option of the start, and would lend the
# next transaction a session in which it was never said.
_NOT_FOR_EVER = "SET LOCAL idle_in_transaction_session_timeout = 10000"
_AS_TEXT = partial(str, encoding="utf-8", errors="replace")
"""A text that another hand has made none costs one row, and not all that are read with it."""
_OF_SQLALCHEMY = frozenset({"host", "port"})


class Database:
    """One SQLite file or one PostgreSQL database. Methods may be called from several threads.

    Errors of SQLAlchemy and of the driver leave its transactions as StoreUnavailable.
    """

    def __init__(self, engine: Engine, address: str, *, url: str | None = None) -> None:
        """Speak through `engine`; `address` names the database in messages, without password.

        What is secret in `url` is not in them either, whatever the driver says.
        """
        self.engine = engine
        self.address = address
        self._url = url
        self.is_sqlite = engine.dialect.name == "sqlite"
        driver = engine.dialect.loaded_dbapi
        self._failures = (SQLAlchemyError, driver.Error, *VALUE_ERRORS)

    @contextmanager
    def write(self, doing: str) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, and rolled back by any error."""
        with self.translated(doing), self.engine.begin() as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql(_NOT_FOR_EVER)
            yield connection

    @contextmanager
    def read(self, doing: str) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database and locks no writer out."""
        with self.translated(doing), self.engine.connect() as connection:
            connection.execution_options(**_SNAPSHOT[self.engine.dialect.name])
            yield connection

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Raise StoreUnavailable for an error of SQLAlchemy or of the driver."""
        try:
            yield
        except self._failures as error:
            said = str(error)
            cause = error if without_secrets(said, self._url) == said else None  # it would tell
            raise translate(error, self.address, doing, self._url) from cause

    def make_durable(self) -> None:
        """Return when all that was committed before, by whatever process, outlives a power cut."""
        with self.translated("making commits durable"):
            if self.is_sqlite:
                self._sync_wal()
                return
            with self.engine.begin() as connection:
                # The log is flushed in order, so a commit that waits for it covers all before; one
                # that wrote nothing would not wait.
                connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
                connection.exec_driver_sql(
                    "SELECT pg_logical_emit_message(true, 'synapse_stream', 'durable')"
                )

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self.engine.dispose()

    def _sync_wal(self) -> None:
        """Bring the write-ahead log of a SQLite file to the disk, and its name in the folder.

        That is what `synchronous=FULL` does at every commit. It locks nobody, unlike a checkpoint;
        what one of those took out of the log SQLite itself had brought to the disk. The database
        file must not be opened here: closing it would drop the locks that SQLite has on it.
        """
        file = Path(self.address)
        try:
            with suppress(FileNotFoundError):  # then all of it is in the file, and on the disk
                _sync(file.with_name(f"{file.name}-wal"))
            _sync(file.parent)
        except OSError as error:
            msg = f"the store {file} cannot be brought to its disk"
            raise StoreUnavailable(msg, str(error), self.address) from error


_SNAPSHOT: dict[str, dict[str, Any]] = {
    "sqlite": {"begin": "BEGIN"},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def driver_of(connection: Connection) -> Any:
    """Return the driver's own connection, for statements where SQLAlchemy's cost shows.

    What it does belongs to the transaction of `connection`.
    """
    return connection.connection.driver_connection


def sqlite_path(url: str) -> Path | None:
    """Return the path in `sqlite:///path`, character by character; None if there is none.

    A folder's name may hold `%`, `?` and `#`: to read those as a URL's would lead elsewhere.
    """
    path = url.removeprefix(_SQLITE)
    return Path(path) if path and path != url else None


def open_sqlite(
    file: Path,
    *,
    page_bytes: int = PAGE_BYTES,
    cache_bytes: int = CACHE_BYTES,
    beside: tuple[str, Path] | None = None,
) -> Database:
    """Return the database in `file`, whose folder is made if need be; nothing is opened yet.

    A new file gets pages of `page_bytes`. `beside` is another file that is read with it, and the
    name that its tables are found under.

    Raises:
        ConfigError: the folder cannot be made.
    """
    try:
        if not file.parent.is_dir():
            make_folder(file.parent)
    except OSError as error:
        msg = f"the store cannot use the folder {file.parent}: {error}"
        raise ConfigError(msg) from error
    path = file.resolve()
    engine = create_engine(
        "sqlite://", creator=partial(connect, path, _BUSY_SECONDS), poolclass=QueuePool, pool_size=8
    )
    event.listen(engine, "connect", partial(_prepare_sqlite, page_bytes, cache_bytes, path))
    if beside is not None:
        event.listen(engine, "connect", partial(_attach, *beside))
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, str(file))


def open_postgres(url: str, setting: str = "SYNAPSE_STREAM_STORE_URL") -> Database:
    """Return the database of `url`, which came from `setting`; nothing is connected yet.

    Nothing of ours lives in a session, so that a pooler may lend each transaction another one: no
    option of the start, no prepared statement.

    Raises:
        ConfigError: the URL is wrong or has a parameter that is none of PostgreSQL's, or the driver
            is not installed.
    """
    if not is_readable(url):
        msg = f"{setting}={mask_url(url)!r} is no PostgreSQL URL: {HOW_TO_WRITE}"
        raise ConfigError(msg)
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        query = {"connect_timeout": str(_CONNECT_SECONDS), **parsed.query}
        engine = create_engine(
            parsed.set(query=query), pool_pre_ping=True, connect_args={"prepare_threshold": None}
        )
        _check_parameters(query, engine.dialect.loaded_dbapi)
    except (ArgumentError, ValueError) as error:
        said = without_secrets(str(error), url)
        msg = f"{setting}={mask_url(url)!r} is no PostgreSQL URL: {said}"
        raise ConfigError(msg) from None
    except ModuleNotFoundError as error:
        msg = f"{setting} on PostgreSQL needs {error.name}: pip install synapse-stream[postgres]"
        raise ConfigError(msg) from error
    return Database(engine, mask_url(url), url=url)


def _check_parameters(query: Mapping[str, Any], driver: Any) -> None:
    """See that the driver knows every parameter; else it would only say so when it connects.

    Raises:
        ValueError: it does not.
    """
    known = {option.keyword.decode() for option in driver.pq.Conninfo.get_defaults()}
    unknown = sorted(set(query) - known - _OF_SQLALCHEMY)
    if unknown:
        names = ", ".join(unknown)
        msg = f"it has the parameter {names}, which is none of PostgreSQL's; leave it out"
        raise ValueError(msg)


def _prepare_sqlite(
    page_bytes: int, cache_bytes: int, file: Path, driver_connection: Any, _record: Any
) -> None:
    driver_connection.isolation_level = None  # sqlite3 would begin transactions of its own
    driver_connection.text_factory = _AS_TEXT
    teach_sqlite(driver_connection)
    if not is_writable(file):
        return
    page = f"PRAGMA page_size={page_bytes}"  # first: the others make the file
    cache = f"PRAGMA cache_size=-{cache_bytes // 1024}"
    checkpoint = f"PRAGMA wal_autocheckpoint={_CHECKPOINT_BYTES // page_bytes}"
    try:
        for pragma in (page, *_SQLITE_PRAGMAS, cache, checkpoint):
            _execute_patiently(driver_connection, pragma)
    except BaseException:
        driver_connection.close()  # SQLAlchemy 2.0 would leave it open
        raise


def _attach(name: str, file: Path, driver_connection: Any, _record: Any) -> None:
    driver_connection.execute(f'ATTACH DATABASE ? AS "{name}"', (str(file.resolve()),))


def _execute_patiently(driver_connection: Any, pragma: str) -> None:
    """Execute, though a new file may be locked while others switch it to WAL and make its schema.

    SQLite does not always wait for its busy time then.
    """
    deadline = time.monotonic() + _NEW_FILE_SECONDS
    while True:
        try:
            driver_connection.execute(pragma)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another writes in between.
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))
