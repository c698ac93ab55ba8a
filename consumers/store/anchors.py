"""Anchors in a database of their own: the lines of the anchor files, row by row.

Once the table is made, the writer's role needs INSERT, SELECT and the sequence there, no more.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
)

from consumers.store.engine import open_postgres, open_sqlite, sqlite_path
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Connection, Select

    from consumers.store.engine import Database

_ROWS_AT_ONCE = 1_000
_LOCK = 0x414E43484F52  # "ANCHOR"; one a PostgreSQL database

_metadata = MetaData()

_anchor = Table(
    "anchor",
    _metadata,
    Column("no", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("line", LargeBinary, nullable=False),
    Index("anchor_file", "namespace", "partition", "no"),
)


class AnchorDatabase:
    """The port `consumers.audit.anchoring.Anchors` on SQL. May be used from several threads.

    Every method raises StoreUnavailable, an OSError, when the database does not answer.
    """

    def __init__(self, url: str) -> None:
        """Name a PostgreSQL database or a SQLite file; nothing is connected yet.

        Raises:
            ConfigError: the URL is wrong, or its driver is not installed.
        """
        self._database = _open(url)
        self._is_founded = False
        self._lock = Lock()

    def append(
        self, namespace: str, partition: int, sign: Callable[[bytes | None], Iterable[bytes]]
    ) -> None:
        """Add a row an anchor; other writers wait, so that the chain has no fork."""
        last = _lines_of(namespace, partition).order_by(_anchor.c.no.desc()).limit(1)
        with self._opened() as database:
            with database.write("writing anchors") as connection:
                self._wait_for_others(connection)
                before = connection.execute(last).scalar()
                lines = sign(None if before is None else bytes(before))
                of_file = {"namespace": namespace, "partition": partition}
                connection.execute(insert(_anchor), [of_file | {"line": line} for line in lines])
            database.make_durable()

    def files(self) -> Iterator[tuple[str, list[bytes]]]:
        """Yield each namespace and partition, as the name of a file, and its lines in order."""
        columns = (_anchor.c.namespace, _anchor.c.partition, _anchor.c.no, _anchor.c.line)
        with self._opened() as database, database.read("reading anchors") as connection:
            rows = connection.execute(select(*columns).order_by(*columns[:3]))
            for (namespace, partition), of_file in groupby(rows, key=lambda row: row[:2]):
                yield self.name(namespace, partition), [bytes(row.line) for row in of_file]

    def name(self, namespace: str, partition: int) -> str:
        """Return namespace and partition as the name of a file."""
        return f"{namespace}.{partition} of {self._database.address}"

    def lines(self, namespace: str, partition: int) -> Iterator[bytes]:
        """Yield the lines of one namespace and partition, in order."""
        query = _lines_of(namespace, partition).order_by(_anchor.c.no)
        few = query.execution_options(yield_per=_ROWS_AT_ONCE)
        with self._opened() as database, database.read("reading anchors") as connection:
            yield from (bytes(line) for line in connection.execute(few).scalars())

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        """Connect for one call: they are rare, and so nobody has to close anything."""
        try:
            self._found()
            yield self._database
        finally:
            self._database.close()

    def _found(self) -> None:
        """Make the table, if it is not there."""
        with self._lock:
            if self._is_founded:
                return
            with self._database.read("looking for anchors") as connection:
                is_there = inspect(connection).has_table(_anchor.name)
            if not is_there:
                with self._database.write("making the table of anchors") as connection:
                    self._wait_for_others(connection)
                    _metadata.create_all(connection)
            self._is_founded = True

    def _wait_for_others(self, connection: Connection) -> None:
        if not self._database.is_sqlite:  # there a transaction that writes is alone anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _lines_of(namespace: str, partition: int) -> Select[Any]:
    of_file = (_anchor.c.namespace == namespace) & (_anchor.c.partition == partition)
    return select(_anchor.c.line).where(of_file)


def _open(url: str) -> Database:
    if url.startswith("postgresql:"):
        return open_postgres(url, "SYNAPSE_STREAM_ANCHORS")
    file = sqlite_path(url)
    if file is None:
        msg = f"SYNAPSE_STREAM_ANCHORS={url!r} names no file; expected sqlite:////absolute/file"
        raise ConfigError(msg)
    return open_sqlite(file)
