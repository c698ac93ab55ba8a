"""What readers see of a database that nobody has made yet: all tables, and nothing in them."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from consumers.store.columns import metadata
from consumers.store.engine import Database
from consumers.store.search import teach_sqlite


@cache
def empty_database() -> Database:
    """Return a database in memory, anew for each transaction; what is written there is gone."""
    engine = create_engine("sqlite://", creator=_connect, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return Database(engine, "that is not there yet")


def _connect() -> Any:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(_tables())
    teach_sqlite(connection)
    return connection


@cache
def _tables() -> str:
    made = (CreateTable(table) for table in metadata.sorted_tables)
    return ";".join(str(one.compile(dialect=sqlite.dialect())) for one in made)
