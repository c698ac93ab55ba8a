"""The rows of a view of another package, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import null, select, tuple_

from consumers.views.of_packages.rows import GivenRow, GivenRows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection, Row, Table

    from consumers.folding.differing import Difference
    from consumers.store.engine import Database
    from synapse_stream.entries.position import Position

OWN = ("_lot", "_number", "_ms", "_seq")
"""Our columns, before those that are declared, none of which can begin so: a row's lot, its number
in the job, and the entry that it came from."""

_ROWS_A_LOOK = 2_000


def read(
    connection: Connection,
    lots: Table,
    rows: Table,
    job_no: int | None,
    *,
    after: int = -1,
    until: Position | None = None,
    limit: int | None = None,
    lacking: Collection[Any] = (),
) -> GivenRows:
    """Return rows of a job in their order, behind the number `after`, of entries up to `until`.

    The columns `lacking`, which are not there yet, are empty.
    """
    lot, number, ms, seq = (rows.c[name] for name in OWN)
    missing = {column.name for column in lacking}
    columns = [null().label(one.name) if one.name in missing else one for one in rows.columns]
    query = select(*columns).join_from(rows, lots, lots.c.no == lot)
    query = query.where(lots.c.job_no == job_no, number > after)
    if until is not None:
        query = query.where(tuple_(ms, seq) <= tuple_(*until[:2]))
    found = connection.execute(query.order_by(number).limit(limit))
    return GivenRows(map(_row, found))


def differences(
    database: Database,
    lots: Table,
    rows: Table,
    live: int | None,
    staged: int | None,
    until: Position,
) -> Iterator[Difference | None]:
    """Compare two generations of a job page by page; see `Table.differences`."""
    after = -1
    while True:
        with database.read("comparing rows") as connection:
            found, expected = (
                read(connection, lots, rows, no, after=after, until=until, limit=_ROWS_A_LOOK)
                for no in (live, staged)
            )
        difference = expected.first_difference(found)
        yield difference
        if difference or not expected:
            return
        after = expected[-1].number


def _row(record: Row[Any]) -> GivenRow:
    _, number, ms, seq, *values = tuple[Any, ...](record)
    return GivenRow(number, ms, seq, tuple(values))
