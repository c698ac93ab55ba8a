"""Ways to damage a store behind everybody's back: its rows on either database, and its files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from tests.support.copies import PLACES, anything

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from tests.support.copies import Copies
    from tests.support.postgres import PostgresServer
    from tests.support.scenes.damaged import Pair

_PAGE = 4096
_WITH_JOBS = ("job", "change", "run", "mark", "lane", "message", "series", "chunk", "block")
_DROPPED = (*_WITH_JOBS, "parked", "rebuild", "checkpoint", "member", "deployment", "damage")


class Target(NamedTuple):
    """What was damaged."""

    what: str
    job: str | None = None
    """Whose it is, if it is of one job."""
    place: str | None = None
    """Of which SQLite file."""


class Case(NamedTuple):
    """What a way may use."""

    pair: Pair
    random: Random
    server: PostgresServer | None

    @property
    def copies(self) -> Copies:
        return self.pair.copies

    def place(self) -> str:
        """Choose a SQLite file; on PostgreSQL there is none."""
        return self.random.choice(PLACES) if self.copies.is_sqlite else ""

    def file(self, place: str) -> Path:
        """Return the file of a place, with its log written into it."""
        if self.server is not None:
            return self._relation()
        with self.copies.open(place) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.copies.folder / f"{place}.db"

    def _relation(self) -> Path:
        """Return the file of a table, of what it has put elsewhere, or of an index."""
        query = (
            "SELECT pg_relation_filepath(c.oid), c.relname FROM pg_class c "
            "WHERE pg_relation_size(c.oid) > 0 AND (c.relnamespace = 'public'::regnamespace OR "
            "c.oid IN (SELECT reltoastrelid FROM pg_class WHERE relnamespace = "
            "'public'::regnamespace)) AND c.relname NOT LIKE 'alembic%' ORDER BY c.relname"
        )
        assert self.server is not None
        path, _ = self.random.choice(self.copies.execute("", query))
        return self.server.data / str(path)


def _in_file(case: Case, change: Callable[[Path], str]) -> Target:
    """Damage a file while nobody has it open, on PostgreSQL while its server stands still."""
    place = case.place()
    file = case.file(place)
    if case.server is not None:
        case.server.stop()
    what = change(file)
    if case.server is not None:
        case.server.start()
    return Target(f"{file.name}: {what}", place=place)


def flip(case: Case) -> Target:
    """Change some bytes of a page."""

    def change(file: Path) -> str:
        data = bytearray(file.read_bytes())
        begin = case.random.randrange(0, len(data), _PAGE)
        places = [begin + case.random.randrange(_PAGE) for _ in range(case.random.randint(1, 40))]
        for place in places:
            if place < len(data):
                data[place] ^= case.random.randint(1, 255)
        file.write_bytes(data)
        return f"{len(places)} bytes flipped in page {begin // _PAGE}"

    return _in_file(case, change)


def truncate(case: Case) -> Target:
    """Cut the end off."""

    def change(file: Path) -> str:
        size = file.stat().st_size
        left = case.random.randrange(1, max(2, size))
        os.truncate(file, left)
        return f"cut from {size} to {left} bytes"

    return _in_file(case, change)


def zero(case: Case) -> Target:
    """Make some pages zeros."""

    def change(file: Path) -> str:
        data = bytearray(file.read_bytes())
        begin = case.random.randrange(0, len(data), _PAGE)
        count = min(_PAGE * case.random.randint(1, 4), len(data) - begin)
        data[begin : begin + count] = bytes(count)
        file.write_bytes(data)
        return f"{count} zeros from {begin}"

    return _in_file(case, change)


def empty(case: Case) -> Target:
    """Leave nothing in it."""

    def change(file: Path) -> str:
        os.truncate(file, 0)
        return "emptied"

    return _in_file(case, change)


def remove(case: Case) -> Target:
    """Remove it, while the API has it open."""

    def change(file: Path) -> str:
        file.unlink()
        for beside in file.parent.glob(f"{file.name}-*") if case.copies.is_sqlite else ():
            beside.unlink()
        return "removed"

    return _in_file(case, change)


def put_back_older(case: Case) -> Target:
    """Put an older copy back."""
    place, older = case.place(), case.random.choice(case.pair.older)
    if case.copies.is_sqlite:
        older.put_back_file(place)
    else:
        older.put_back()
    return Target(f"{place} put back from an older copy", place=place)


def remove_log(case: Case) -> Target:
    """Remove the write-ahead log that a consumer left, which was killed."""
    consumer = case.pair.consume()
    consumer.kill()
    if case.server is None:
        place = case.place()
        for beside in case.copies.folder.glob(f"{place}.db-*"):
            beside.unlink()
        return Target(f"the log of {place} removed", place=place)
    case.server.crash()
    log = case.server.data / "pg_wal"
    log.replace(log.with_name("pg_wal.kept"))
    log.mkdir(mode=0o700)
    (log / "archive_status").mkdir(mode=0o700)
    return Target("pg_wal removed", place="")


def replace_value(case: Case) -> Target:
    """Replace a stored value by random bytes, another type or NULL."""
    cells = [cell for cell in case.copies.cells() if cell.job is not None]
    wanted = sorted({(cell.table, cell.column) for cell in cells})
    while True:
        column = case.random.choice(wanted)
        cell = case.random.choice([one for one in cells if (one.table, one.column) == column])
        was = case.copies.value(cell)
        value = anything(case.copies, cell, cells, case.random)
        if value != was and case.copies.replace(cell, value):
            what = f"{cell.place} {cell.table}.{cell.column} = {value!r:.40}"
            return Target(what, cell.job, cell.place)


def delete_rows(case: Case) -> Target:
    """Delete rows of one job in one table."""
    while True:
        place, table = case.place(), case.random.choice(_WITH_JOBS)
        rows = case.copies.rows(place, table)
        jobs = sorted({job for _, job in rows if job in case.pair.jobs and job is not None})
        if jobs:
            break
    job = case.random.choice(jobs)
    mine = [row for row, whose in rows if whose == job]
    for row in case.random.sample(mine, case.random.randint(1, len(mine))):
        case.copies.delete(place, table, row)
    return Target(f"{place} rows of {table}", job, place)


def drop_table(case: Case) -> Target:
    """Drop a table."""
    place, table = case.place(), case.random.choice(_DROPPED)
    case.copies.execute(place, f"DROP TABLE {table}")
    return Target(f"{place} table {table} dropped", place=place)


def change_version(case: Case) -> Target:
    """Have it say another version of the schema, or none."""
    place = case.place()
    version = case.random.choice(("'9999'", "''", "'0001'", None))
    change = "DELETE FROM alembic_version"
    if version is not None:
        change = f"UPDATE alembic_version SET version_num = {version}"
    case.copies.execute(place, change)
    return Target(f"{place} version {version}", place=place)


def exchange_document(case: Case) -> Target:
    """Put the document of another job in the place of a job's."""
    cells = [
        cell
        for cell in case.copies.cells()
        if (cell.table, cell.column) == ("job", "document") and cell.job in case.pair.jobs
    ]
    cell = case.random.choice(cells)
    others = [one for one in cells if one.place == cell.place and one.job != cell.job]
    if not case.copies.is_sqlite:
        same = case.copies.projection(cell)
        others = [one for one in others if case.copies.projection(one) == same]
    other = case.random.choice(others)
    case.copies.replace(cell, case.copies.value(other))
    return Target(f"{cell.place} document of {other.job}", cell.job, cell.place)


def swap_chunks(case: Case) -> Target:
    """Swap what two metric chunks hold."""
    cells = [cell for cell in case.copies.cells() if (cell.table, cell.column) == ("chunk", "body")]
    one, two = case.random.sample(cells, 2)
    bodies = case.copies.value(one), case.copies.value(two)
    case.copies.replace(one, bodies[1])
    case.copies.replace(two, bodies[0])
    return Target(f"chunks of {one.job} and {two.job}", place=one.place)  # it is of both jobs


WAYS: dict[str, Callable[[Case], Target]] = {
    "bytes flipped": flip,
    "truncated": truncate,
    "zeroed": zero,
    "emptied": empty,
    "removed": remove,
    "older copy": put_back_older,
    "log removed": remove_log,
    "value replaced": replace_value,
    "rows deleted": delete_rows,
    "table dropped": drop_table,
    "version changed": change_version,
    "document of another": exchange_document,
    "chunks swapped": swap_chunks,
}
