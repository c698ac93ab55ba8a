"""Stores that are damaged and put back: their rows, whatever is in them, on either database."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import zstandard
from psycopg import sql
from sqlalchemy import Text, create_engine

from consumers.store.columns import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from random import Random

    from synapse_stream.settings import Settings

ARCHIVE = "archive"
PLACES = ("run-state", "metric-history", "message-feed", ARCHIVE)
"""The SQLite files of a store."""
_VERSION = ("alembic_version", "version_num")


class Cell(NamedTuple):
    """One stored value of a row."""

    place: str
    """Of the SQLite file; empty on PostgreSQL."""
    table: str
    column: str
    row: Any
    job: str | None
    """Whose it is."""


def columns() -> list[tuple[str, str]]:
    """Return table and column of all that is stored: a new table is among them."""
    found = [
        (table.name, column.name) for table in metadata.sorted_tables for column in table.columns
    ]
    return [*found, _VERSION]


class Copies:
    """The store of a deployment that nothing writes just now, and a copy of it as it was."""

    def __init__(self, settings: Settings, home: Path) -> None:
        """Keep the copy in `home`."""
        self.url = settings.store_url
        self.folder = settings.data_dir / "views"
        self._home = home
        self._rows: dict[str, bytes] = {}

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite's files."""
        return self.url is None

    def keep(self) -> None:
        """Take the copy."""
        if self.url is None:
            self._home.mkdir(parents=True, exist_ok=True)
            for place in PLACES:
                with self.open(place) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                shutil.copy(self.folder / f"{place}.db", self._home)
            return
        with psycopg.connect(self.url) as connection:
            for name in (*metadata.tables, _VERSION[0]):
                query = sql.SQL("COPY {} TO STDOUT (FORMAT BINARY)").format(sql.Identifier(name))
                with connection.cursor().copy(query) as copy:
                    self._rows[name] = b"".join(map(bytes, copy))

    def put_back(self) -> None:
        """Make the store what the copy is."""
        if self.url is None:
            for place in PLACES:
                self.put_back_file(place)
            return
        with psycopg.connect(self.url) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
            connection.execute(
                f"CREATE TABLE {_VERSION[0]} ({_VERSION[1]} varchar(32) PRIMARY KEY)"
            )
        engine = create_engine(self.url.replace("postgresql:", "postgresql+psycopg:", 1))
        metadata.create_all(engine)
        engine.dispose()
        with psycopg.connect(self.url) as connection:
            for name, rows in self._rows.items():
                query = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(name))
                with connection.cursor().copy(query) as copy:
                    copy.write(rows)
            for table in metadata.tables.values():
                if any(column.identity for column in table.columns):
                    last = f"(SELECT coalesce(max(no), 0) + 1 FROM {table.name})"
                    sequence = f"pg_get_serial_sequence('{table.name}', 'no')"
                    connection.execute(f"SELECT setval({sequence}, {last})")

    def put_back_file(self, place: str) -> None:
        """Put one SQLite file back, as who has it open notices by its number."""
        file = self.folder / f"{place}.db"
        for beside in self.folder.glob(f"{place}.db-*"):
            beside.unlink()
        shutil.copy(self._home / file.name, f"{file}.new")
        os.replace(f"{file}.new", file)  # noqa: PTH105 - its number is another one

    def cells(self) -> list[Cell]:
        """Return every value that is stored, with whose it is."""
        found = []
        for place in PLACES if self.is_sqlite else ("",):
            rows = {table: self.rows(place, table) for table, _ in columns()}
            found += [
                Cell(place, table, column, row, job)
                for table, column in columns()
                for row, job in rows[table]
            ]
        return found

    def value(self, cell: Cell) -> Any:
        """Return what stands there."""
        query = f"SELECT {cell.column} FROM {cell.table} WHERE {self._row(cell.table)}"
        return self.execute(cell.place, query, cell.row)[0][0]

    def replace(self, cell: Cell, value: Any) -> bool:
        """Write something else there; return False if the database does not take it."""
        row = self._row(cell.table)
        query = f"UPDATE {cell.table} SET {cell.column} = {self._mark} WHERE {row}"
        try:
            self.execute(cell.place, query, value, cell.row)
        except (sqlite3.Error, psycopg.Error):
            return False
        return True

    def execute(self, place: str, query: str, *values: Any) -> Sequence[Any]:
        """Execute a statement behind everybody's back; return its rows."""
        with self.open(place) as connection:
            found = connection.execute(query, *([values] if values else []))  # else % is a mark
            rows = found.fetchall() if found.description else []
            connection.commit()
            return rows

    @contextmanager
    def open(self, place: str) -> Iterator[Any]:
        """Connect, to a file of SQLite or to the database."""
        if self.url is None:
            connection: Any = sqlite3.connect(self.folder / f"{place}.db")
            connection.text_factory = bytes
        else:
            connection = psycopg.connect(self.url)
        with closing(connection):
            yield connection

    @property
    def _mark(self) -> str:
        return "?" if self.is_sqlite else "%s"

    def _row(self, table: str) -> str:
        return f"{self._key(table)} = ?" if self.is_sqlite else "ctid = %s::tid"

    def _key(self, table: str, of: str = "") -> str:
        """Return what a row of a table is told by, which nobody stores."""
        if not self.is_sqlite:
            return f"{of}ctid::text"
        found = metadata.tables.get(table)
        if found is None or found.dialect_options["sqlite"]["with_rowid"]:
            return f"{of}rowid"
        return " || ',' || ".join(f"quote({of}{one.name})" for one in found.primary_key)

    def projection(self, cell: Cell) -> Any:
        """Return which projection a row of `job` is of."""
        query = f"SELECT projection FROM job WHERE {self._row('job')}"
        return _text(self.execute(cell.place, query, cell.row)[0][0])

    def delete(self, place: str, table: str, row: Any) -> None:
        """Delete a row."""
        self.execute(place, f"DELETE FROM {table} WHERE {self._row(table)}", row)

    def rows(self, place: str, table: str) -> list[tuple[Any, str | None]]:
        """Return the rows of a table, and whose job they are."""
        key = self._key(table, "t.")
        names = set(metadata.tables[table].columns.keys()) if table in metadata.tables else set()
        lot = next((name for name in names if name.endswith("_no") and name != "job_no"), None)
        if table == "job" or ("job_id" in names and "job_no" not in names):
            query = f"SELECT {key}, t.job_id FROM {table} t"
        elif "job_no" in names:
            query = f"SELECT {key}, j.job_id FROM {table} t JOIN job j ON j.no = t.job_no"
        elif lot is not None:
            owner = lot.removesuffix("_no")
            query = (
                f"SELECT {key}, j.job_id FROM {table} t JOIN {owner} o ON o.no = t.{lot} "
                "JOIN job j ON j.no = o.job_no"
            )
        else:
            query = f"SELECT {key}, NULL FROM {table} t"
        rows = self.execute(place, query)
        return [(row.decode() if isinstance(row, bytes) else row, _text(job)) for row, job in rows]


def anything(copies: Copies, cell: Cell, cells: Sequence[Cell], random: Random) -> Any:
    """Return something to write into a cell: what another row has, noise, nothing, another type."""
    was = copies.value(cell)
    is_text = isinstance(was, str) or (copies.is_sqlite and cell.column in _texts())
    other = copies.value(random.choice([one for one in cells if one[:3] == cell[:3]]))
    noise = random.randbytes(random.choice((1, 8, 100, 400)))
    if isinstance(was, (int, float)):
        choices = [other, 0, 1, -1, was + 1, was - 1, -was, 2**31 - 1, 2**53, 2**63 - 1, None]
        choices += [True, False] if isinstance(was, bool) else []
        choices += [1e308, math.inf, math.nan] if isinstance(was, float) else []
        choices += ["text", noise, 1.5] if copies.is_sqlite else []
    elif is_text:
        choices = [other, "", "null", "[1", "\U0001f600" * 9, None]
        choices += [noise, 7] if copies.is_sqlite else [noise.hex()]
    else:
        choices = [other, noise, b"", zstandard.compress(noise), b"{}", b"null", None]
        choices += [was[: len(was) // 2], bytes([was[0] ^ 1]) + was[1:], was + noise] if was else []
        choices += ["text", 10**12, 1.5] if copies.is_sqlite else []
    value = random.choice(choices)
    return value.decode() if is_text and isinstance(value, bytes) and value == other else value


def _texts() -> frozenset[str]:
    return frozenset(
        column.name
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Text)
    )


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
