"""What commits write of jobs: documents, rows and marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.store import jobs, marks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from consumers.store.databases import Databases
    from consumers.store.jobs import JobWrite
    from consumers.store.lease import Lease
    from consumers.store.memory import Memory

    Save = Callable[[Connection, Lease], list[tuple[int, JobWrite]]]


def prepare(databases: Databases, memory: Memory, lease: Lease, writes: Sequence[JobWrite]) -> Save:
    """Do what needs no lock; return what writes the rest, and returns the jobs with their numbers.

    That is to be given the lease, or the same with the name of another generation.
    """
    table = databases.table(lease.projection)
    rows = table.encode([(write.job_id, write.rows) for write in writes if write.rows])
    bases = memory.bases(lease)

    def save(connection: Connection, place: Lease) -> list[tuple[int, JobWrite]]:
        numbers = jobs.save(connection, place, [write[:2] for write in writes], bases)
        if rows:
            book = memory.of(lease, lambda: table.open(connection, lease.partition))
            of_jobs = {numbers[job_id]: mine for job_id, mine in rows}
            table.write(connection, lease, book, of_jobs)
        marks.write(connection, [(numbers[write.job_id], write.marks) for write in writes])
        return [(numbers[write.job_id], write) for write in writes]

    return save
