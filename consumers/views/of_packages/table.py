"""The table that a view of another package declares: its rows, of each job in a lot.

Who projects the view makes it, or adds what is new in it; readers take it as they find it. A column
that is declared no more stays, and may be empty, as any: what was made by another version of the
view lies beside what this one makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    inspect,
)
from sqlalchemy.schema import CreateColumn

from consumers.errors import StoreUnavailable
from consumers.store.directory import Directory
from consumers.store.sql import RowWriter
from consumers.store.table import Part, Table
from consumers.views.of_packages import query
from consumers.views.of_packages.query import OWN
from consumers.views.of_packages.rows import GivenRows
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.folding.differing import Difference
    from consumers.store.engine import Database
    from consumers.store.lease import Lease
    from consumers.views.of_packages.columns import Column
    from synapse_stream.entries.position import Position

Lots = Directory[tuple[()]]

_TYPES: dict[type, Any] = {str: Text(), int: BigInteger(), float: Double(), bool: Boolean()}
_ROWS_AT_ONCE = 5_000
_LOCK = 0x56494557  # "VIEW"; one a PostgreSQL database


class Misfit(StoreUnavailable):
    """A table that is there is none that the view declares; until it does, it waits."""


class DeclaredTable(Table):
    """A lot a job, and its rows."""

    def __init__(self, name: str, columns: Sequence[Column]) -> None:
        """Know the table of the view `name`; nothing is made yet."""
        slug = name.replace("-", "_")
        self._metadata = MetaData()
        self._lots = sqlalchemy.Table(
            f"lots_{slug}",
            self._metadata,
            sqlalchemy.Column(
                "no",
                BigInteger().with_variant(Integer, "sqlite"),
                Identity(),
                primary_key=True,
            ),
            sqlalchemy.Column("job_no", BigInteger, nullable=False),
            Index(f"ix_lots_{slug}", "job_no"),
        )
        self._rows = sqlalchemy.Table(
            f"view_{slug}",
            self._metadata,
            *(sqlalchemy.Column(each, BigInteger, nullable=False) for each in OWN),
            *(sqlalchemy.Column(each.name, _TYPES[each.kind]) for each in columns),
            Index(f"ix_view_{slug}", *OWN[:2], unique=True),
        )
        self._name = name
        self._columns = [column.name for column in columns]
        self._writer = RowWriter(self._rows)
        lot, number = (self._rows.c[each] for each in OWN[:2])
        self.parts = (Part(self._lots, lot, number, _ROWS_AT_ONCE),)

    def prepare(self, database: Database) -> None:
        """Make what is declared and not there yet.

        Raises:
            Misfit: a column is there as another type.
        """
        with database.read(f"looking for the table of {self._name}") as connection:
            lacking = self._lacking(connection)
        if lacking is None or lacking:
            with database.write(f"making the table of {self._name}") as connection:
                self._make(connection)

    def open(self, _connection: Connection, _partition: int) -> Lots:
        """Return the lots of a lease."""
        return Directory(self._lots, ())

    def write(
        self, connection: Connection, _lease: Lease, book: Lots, rows: Mapping[int, GivenRows]
    ) -> None:
        """Add rows to jobs."""
        lots, _ = book.find(connection, {job_no: [()] for job_no in rows})
        records = [
            (lots[job_no][()], *row[:3], *row.values)
            for job_no, of_job in rows.items()
            for row in of_job
        ]
        self._writer.write(connection, records)

    def read(self, connection: Connection, job_no: int) -> GivenRows:
        """Return all rows of a job in their order.

        Raises:
            DecodeError: those that are there are none of this view.
        """
        try:
            return self._read(connection, job_no, after=-1, limit=None)
        except Misfit as error:
            raise DecodeError(str(error)) from error

    def page(
        self, connection: Connection, job_no: int, *, after: int, limit: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return rows behind the number `after`, by column, and the last number if there are more.

        Raises:
            Misfit: a column is there as another type.
        """
        found = self._read(connection, job_no, after=after, limit=limit + 1)
        shown = [dict(zip(self._columns, row.values, strict=True)) for row in found[:limit]]
        return shown, found[limit - 1].number if len(found) > limit else None

    def differences(
        self, database: Database, live: int | None, staged: int | None, until: Position
    ) -> Iterator[Difference | None]:
        """Compare page by page."""
        return query.differences(database, self._lots, self._rows, live, staged, until)

    def _read(
        self, connection: Connection, job_no: int, *, after: int, limit: int | None
    ) -> GivenRows:
        lacking = self._lacking(connection)
        if lacking is None:
            return GivenRows()
        return query.read(
            connection, self._lots, self._rows, job_no, after=after, limit=limit, lacking=lacking
        )

    def _lacking(self, connection: Connection) -> list[Any] | None:
        """Return the columns that are not there; None for all of the table.

        Raises:
            Misfit: one is there as another type.
        """
        looking = inspect(connection)
        if not looking.has_table(self._rows.name) or not looking.has_table(self._lots.name):
            return None
        there = {column["name"]: column["type"] for column in looking.get_columns(self._rows.name)}
        for column in self._rows.columns:
            found = there.get(column.name)
            if found is not None and found.python_type is not column.type.python_type:
                msg = (
                    f"the column {column.name!r} of the view {self._name} is declared as "
                    f"{column.type}, and another version of it has left one that is {found}: "
                    "give it another name, and raise the view's version"
                )
                raise Misfit(msg)
        return [column for column in self._rows.columns if column.name not in there]

    def _make(self, connection: Connection) -> None:
        if connection.dialect.name != "sqlite":  # there a transaction that writes is alone anyway
            wait = sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)")
            connection.execute(wait, {"key": _LOCK})
        lacking = self._lacking(connection)
        if lacking is None:
            self._metadata.create_all(connection)
        for column in lacking or ():
            made = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {self._rows.name} ADD COLUMN {made}")
