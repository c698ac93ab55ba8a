"""The parts of jobs that rows refer to by number: series of points, lanes of messages.

A directory keeps them in memory, so that a commit need not ask. It is good for one lease: while
that is held, nobody else makes parts of that partition's jobs. Whatever goes wrong in a
transaction, the directory is thrown away with it, so it never names a part whose row was rolled
back.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import insert, select

from consumers.store.sql import slices

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection, Table

Key = TypeVar("Key", bound=tuple[Any, ...])

_MOST_KEPT = 200_000


class Directory(Generic[Key]):
    """Numbers of parts by job and key."""

    def __init__(self, table: Table, fields: Sequence[str], **constants: Any) -> None:
        """Find parts in `table`, whose columns `fields` hold the key.

        `constants` are what other columns get in new rows.
        """
        self._table = table
        self._fields = fields
        self._constants = constants
        self._jobs: OrderedDict[int, dict[Key, int]] = OrderedDict()
        self._kept = 0

    def known(
        self, connection: Connection, job_nos: Collection[int]
    ) -> Mapping[int, Mapping[Key, int]]:
        """Return the parts that jobs have, and perhaps those of others, too."""
        self._load(connection, [job_no for job_no in job_nos if job_no not in self._jobs])
        return self._jobs

    def find(
        self, connection: Connection, keys_of: Mapping[int, Collection[Key]]
    ) -> tuple[dict[int, dict[Key, int]], set[int]]:
        """Return the numbers by job and key, and which of them are new.

        Args:
            connection: in whose transaction new parts get their rows.
            keys_of: the keys that are wanted, by number of the job.
        """
        self.known(connection, keys_of)
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

    def _load(self, connection: Connection, job_nos: Sequence[int]) -> None:
        table = self._table.c
        columns = [table.job_no, table.no, *(table[field] for field in self._fields)]
        for job_no in job_nos:
            self._jobs[job_no] = {}
        for some in slices(job_nos):
            of_jobs = select(*columns).where(table.job_no.in_(some))
            for job_no, no, *key in connection.execute(of_jobs):
                self._keep(job_no, tuple(key), no)

    def _make(self, connection: Connection, new: Sequence[tuple[int, Key]]) -> set[int]:
        rows = [
            {"job_no": job_no, **dict(zip(self._fields, key, strict=True)), **self._constants}
            for job_no, key in new
        ]
        make = insert(self._table).returning(self._table.c.no, sort_by_parameter_order=True)
        numbers = connection.execute(make, rows).scalars().all()
        for (job_no, key), no in zip(new, numbers, strict=True):
            self._keep(job_no, key, no)
        return set(numbers)

    def _keep(self, job_no: int, key: Any, no: int) -> None:
        self._jobs[job_no][key] = no
        self._kept += 1
