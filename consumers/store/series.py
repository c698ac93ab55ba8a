"""Which series a lease's jobs have, kept in memory so that a commit need not ask.

A book is good for one lease: while it is held, nobody else makes series of that partition. Whatever
goes wrong in a transaction, the book is thrown away with it, so it never names a series whose row
was rolled back.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from consumers.store.schema import series
from synapse_stream.views import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy import Connection

_MOST_KEPT = 200_000
_JOBS_AT_ONCE = 1_000


@dataclass(slots=True)
class KnownSeries:
    """A series that has a row."""

    no: int
    is_loose: bool
    """As the row says."""


@dataclass(slots=True)
class Loose:
    """A series whose small chunks can be merged."""

    chunks: int
    """How many have come since it was merged last."""
    grown_at: float = field(default_factory=time.monotonic)


class Book:
    """The series of one lease."""

    def __init__(self, partition: int, epoch: int) -> None:
        self.epoch = epoch
        self.loose: dict[int, Loose] | None = None
        """By number; None until they are read."""
        self._partition = partition
        self._jobs: OrderedDict[int, dict[SeriesKey, KnownSeries]] = OrderedDict()
        self._kept = 0

    def find(
        self, connection: Connection, keys_of: Mapping[int, Collection[SeriesKey]]
    ) -> dict[int, dict[SeriesKey, KnownSeries]]:
        """Return the series of jobs, given by number; those that are new are made."""
        self._load(connection, [job_no for job_no in keys_of if job_no not in self._jobs])
        new = [
            (job_no, key)
            for job_no, keys in keys_of.items()
            for key in keys
            if key not in self._jobs[job_no]
        ]
        if new:
            self._make(connection, new)
        for job_no in keys_of:
            self._jobs.move_to_end(job_no)
        found = {job_no: self._jobs[job_no] for job_no in keys_of}
        self._shrink()
        return found

    def loosen(self, connection: Connection, grown: Mapping[int, tuple[KnownSeries, int]]) -> None:
        """Note that so many chunks have come to series that had some."""
        changed = [known for known, _ in grown.values() if not known.is_loose]
        if changed:
            set_loose(connection, [known.no for known in changed], is_loose=True)
        for known in changed:
            known.is_loose = True
        if self.loose is not None:
            now = time.monotonic()
            for no, (_, chunks) in grown.items():
                loose = self.loose.setdefault(no, Loose(0))
                loose.chunks += chunks
                loose.grown_at = now

    def _load(self, connection: Connection, job_nos: list[int]) -> None:
        for job_no in job_nos:
            self._jobs[job_no] = {}
        for start in range(0, len(job_nos), _JOBS_AT_ONCE):
            some = job_nos[start : start + _JOBS_AT_ONCE]
            for row in connection.execute(select(series).where(series.c.job_no.in_(some))):
                key = SeriesKey(row.attempt, row.rank, row.step, row.name)
                self._jobs[row.job_no][key] = KnownSeries(row.no, row.is_loose)
                self._kept += 1

    def _make(self, connection: Connection, new: Iterable[tuple[int, SeriesKey]]) -> None:
        rows = [
            {"job_no": job_no, "partition": self._partition, **key._asdict()}
            for job_no, key in new
        ]
        made = insert(series).returning(series.c.no, sort_by_parameter_order=True)
        numbers = connection.execute(made, rows).scalars()
        for (job_no, key), no in zip(new, numbers, strict=True):
            self._jobs[job_no][key] = KnownSeries(no, is_loose=False)
            self._kept += 1

    def _shrink(self) -> None:
        while self._kept > _MOST_KEPT and len(self._jobs) > 1:
            _, dropped = self._jobs.popitem(last=False)
            self._kept -= len(dropped)


def set_loose(connection: Connection, numbers: Collection[int], *, is_loose: bool) -> None:
    """Note whether series have small chunks that can be merged."""
    connection.execute(
        update(series).where(series.c.no.in_(numbers)).values(is_loose=is_loose)
    )
