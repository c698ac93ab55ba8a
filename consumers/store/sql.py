"""What SQLAlchemy and the databases lack for us, and both dialects need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import BigInteger, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Table

Item = TypeVar("Item")

_AT_ONCE = 1_000
_POSTGRES_TYPES = {
    "BOOLEAN": "bool",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "DOUBLE": "float8",
    "TEXT": "text",
    "BLOB": "bytea",
}


class now_ms(FunctionElement[int]):  # noqa: N801 - a function in SQL
    """Milliseconds since the epoch by the database's clock, at the moment of the statement.

    It is the only clock by which leases and members live.
    """

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _on_sqlite(_element: now_ms, _compiler: Any, **_options: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@compiles(now_ms, "postgresql")
def _on_postgresql(_element: now_ms, _compiler: Any, **_options: Any) -> str:
    # now() would stand still from the beginning of the transaction
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


def slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Return `items` in parts that one statement takes: databases bound how many values it has."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def driver_of(connection: Connection) -> Any:
    """Return the driver's own connection, for statements where SQLAlchemy's cost shows.

    What it does belongs to the transaction of `connection`.
    """
    return connection.connection.driver_connection


class RowWriter:
    """Writes rows of one table, as tuples of all its columns.

    It does so by the driver's own means: SQLAlchemy would cost three times as much.
    """

    def __init__(self, table: Table) -> None:
        quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
        columns = ", ".join(quote(column.name) for column in table.columns)
        self._insert = str(insert(table).compile(dialect=sqlite.dialect()))
        self._copy = f"COPY {table.name} ({columns}) FROM STDIN (FORMAT BINARY)"
        self._types = [_POSTGRES_TYPES[str(column.type)] for column in table.columns]

    def write(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add the rows in the transaction of `connection`."""
        if not rows:
            return
        driver = driver_of(connection)
        if connection.dialect.name == "sqlite":
            driver.executemany(self._insert, rows)
            return
        with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(self._types)
            for row in rows:
                copy.write_row(row)
