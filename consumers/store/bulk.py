"""Many rows at once, by the driver's own means: SQLAlchemy would cost three times as much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert
from sqlalchemy.dialects import sqlite

from consumers.store.engine import driver_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

_POSTGRES_TYPES = {
    "BOOLEAN": "bool",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "DOUBLE": "float8",
    "TEXT": "text",
    "BLOB": "bytea",
}


class RowWriter:
    """Writes rows of one table, as tuples of all its columns."""

    def __init__(self, table: Table) -> None:
        columns = ", ".join(column.name for column in table.columns)
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
