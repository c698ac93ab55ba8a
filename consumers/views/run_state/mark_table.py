"""Marks of run states: folds of before, kept with the view and read by who looks back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zstandard
from sqlalchemy import delete, func, insert, select, tuple_

from consumers.store import folds
from consumers.store.databases import Databases
from consumers.store.schema import mark, parked
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.marks import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from synapse_stream.entries.position import Position
    from synapse_stream.settings import Settings

_PROJECTION = RunStateView.name

_place = (mark.c.ms, mark.c.seq)


def write(connection: Connection, jobs: Iterable[tuple[int, Sequence[Mark]]]) -> None:
    """Add marks to jobs, which are given by their numbers.

    Those at later ids go: they were made before a server lost its tail and its clock went back.
    """
    for no, marks in jobs:
        if not marks:
            continue
        first = min(one.entry for one in marks)
        late = tuple_(*_place) >= tuple_(*first)
        connection.execute(delete(mark).where(mark.c.job_no == no, late))
        by_entry = {one.entry: one for one in marks}
        connection.execute(insert(mark), [_row(no, one) for one in by_entry.values()])


class StoredMarks:
    """The marks of a deployment. May be used from several threads."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def before(self, job_id: str, at: Position | int, *, limit: int) -> list[Mark]:
        """Return the last marks from which a fold up to `at` can go on, the latest first.

        For a time none behind an event that is parked: when that was reported no mark tells.

        Raises:
            StoreUnavailable: the database could not be read.
        """
        if not self._databases.is_founded(_PROJECTION):
            return []
        if isinstance(at, int):
            is_time, reached = True, mark.c.time <= at
        else:
            is_time, reached = False, tuple_(*_place) < tuple_(*at[:2])
        database = self._databases.of(_PROJECTION)
        with database.read(f"reading marks of job {job_id!r}") as connection:
            no = folds.number(connection, _PROJECTION, job_id)
            newest = (column.desc() for column in _place)
            query = select(mark).where(mark.c.job_no == no, reached).order_by(*newest)
            found = [
                Mark(
                    entry=(row.ms, row.seq),
                    hash=bytes(row.hash),
                    time=row.time,
                    parked=_parked(connection, job_id, (row.ms, row.seq)),
                    document=zstandard.decompress(bytes(row.document)),
                )
                for row in connection.execute(query.limit(limit)).all()
            ]
        return [one for one in found if not (is_time and one.parked)]

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self._databases.close()


def open_marks(settings: Settings) -> StoredMarks:
    """Open the marks of a deployment; the database is opened when it is first needed.

    Raises:
        ConfigError: the store's URL is wrong, or its driver is not installed.
    """
    return StoredMarks(Databases(settings))


def _row(job_no: int, one: Mark) -> dict[str, Any]:
    ms, seq = one.entry
    document = zstandard.compress(one.document or b"")
    row = {"job_no": job_no, "ms": ms, "seq": seq, "time": one.time}
    return {**row, "hash": one.hash, "document": document}


def _parked(connection: Connection, job_id: str, entry: tuple[int, int]) -> int:
    upto = tuple_(parked.c.ms, parked.c.seq) <= tuple_(*entry)
    of_job = (parked.c.projection == _PROJECTION) & (parked.c.job_id == job_id)
    query = select(func.count()).select_from(parked).where(of_job, upto)
    return int(connection.execute(query).scalar_one())
