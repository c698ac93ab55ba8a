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
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

_MOST_KEPT = 200_000
_AT_ONCE = 1_000


@dataclass(slots=True)
class Loose:
    """A series that has small chunks to be merged."""

    chunks: int
    """How many have come since it was merged last."""
    grown_at: float = field(default_factory=time.monotonic)


class Book:
    """The series of one lease, by job and key, and those of them that are loose, by number."""

    def __init__(self, connection: Connection, partition: int, epoch: int) -> None:
        """Read which series are loose; the others are read job by job when they are needed."""
        self.epoch = epoch
        is_loose = select(series.c.no).where(series.c.partition == partition, series.c.is_loose)
        self.loose = {no: Loose(_AT_ONCE) for no in connection.execute(is_loose).scalars()}
        self._partition = partition
        self._jobs: OrderedDict[int, dict[SeriesKey, int]] = OrderedDict()
        self._kept = 0

    def find(
        self, connection: Connection, keys_of: Mapping[int, Collection[SeriesKey]]
    ) -> tuple[dict[int, dict[SeriesKey, int]], set[int]]:
        """Return the numbers of series by job and key, and which of them are new.

        Args:
            connection: in whose transaction new series get their rows.
            keys_of: the keys that are wanted, by number of the job.
        """
        self._load(connection, [job_no for job_no in keys_of if job_no not in self._jobs])
        wanted = [(job_no, key) for job_no, keys in keys_of.items() for key in keys]
        new = [(job_no, key) for job_no, key in wanted if key not in self._jobs[job_no]]
        made = self._make(connection, new) if new else set()
        found = {job_no: self._jobs[job_no] for job_no in keys_of}
        for job_no in keys_of:
            self._jobs.move_to_end(job_no)
        while self._kept > _MOST_KEPT and len(self._jobs) > 1:
            _, dropped = self._jobs.popitem(last=False)
            self._kept -= len(dropped)
        return found, made

    def loosen(self, connection: Connection, grown: Mapping[int, int]) -> None:
        """Note how many chunks have come to series that have others."""
        set_loose(connection, [no for no in grown if no not in self.loose], is_loose=True)
        now = time.monotonic()
        for no, chunks in grown.items():
            loose = self.loose.setdefault(no, Loose(0))
            loose.chunks += chunks
            loose.grown_at = now

    def _load(self, connection: Connection, job_nos: Sequence[int]) -> None:
        for job_no in job_nos:
            self._jobs[job_no] = {}
        for start in range(0, len(job_nos), _AT_ONCE):
            of_jobs = series.c.job_no.in_(job_nos[start : start + _AT_ONCE])
            for row in connection.execute(select(series).where(of_jobs)):
                key = SeriesKey(row.attempt, row.rank, row.step, row.name)
                self._jobs[row.job_no][key] = row.no
                self._kept += 1

    def _make(self, connection: Connection, new: Sequence[tuple[int, SeriesKey]]) -> set[int]:
        rows = [
            {"job_no": job_no, "partition": self._partition, **key._asdict()} for job_no, key in new
        ]
        make = insert(series).returning(series.c.no, sort_by_parameter_order=True)
        numbers = connection.execute(make, rows).scalars().all()
        for (job_no, key), no in zip(new, numbers, strict=True):
            self._jobs[job_no][key] = no
        self._kept += len(new)
        return set(numbers)


def set_loose(connection: Connection, numbers: Sequence[int], *, is_loose: bool) -> None:
    """Note whether series have small chunks to be merged."""
    for start in range(0, len(numbers), _AT_ONCE):
        some = series.c.no.in_(numbers[start : start + _AT_ONCE])
        connection.execute(update(series).where(some).values(is_loose=is_loose))
