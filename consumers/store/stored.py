"""What is stored of jobs, for who goes on from it or verifies it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from consumers.store import jobs, marks, parked
from consumers.store.damage import Damages, is_outage
from consumers.store.documents import whole
from consumers.store.schema import job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consumers.folding.port import Rows
    from consumers.store.databases import Databases
    from consumers.store.marks import StoredMark

_PAGE = 1_000


class StoredView(NamedTuple):
    """What one projection has of one job, from one state of the database."""

    document: bytes
    rows: Rows | None
    """As `JobView.take_rows` returns them."""
    parked: Sequence[tuple[str, int]]
    """Producers and numbers of the events that are parked."""
    marks: Mapping[tuple[int, int], StoredMark] = {}
    reached: tuple[int, int] = (0, 0)
    """Id of an entry up to which the projection had folded all of its partition before."""
    fault: str | None = None
    """What is kept beside rows and document and tells otherwise, if anything."""


class Jobs:
    """What projections have of jobs. Each method reads one state of the database.

    Every method raises StoreUnavailable when the database cannot be read; they may be called from
    several threads.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._damage = Damages(databases)

    def load(self, projection: str, job_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the documents of those jobs that have one."""
        return self._databases.load(projection, job_ids)

    def ids(self, projection: str) -> Iterator[str]:
        """Yield the ids of all jobs of a projection, in order."""
        after, found = "", [""]
        while found:
            query = select(job.c.job_id).where(job.c.projection == projection, job.c.job_id > after)
            with self._databases.reading(projection, f"listing jobs of {projection}") as connection:
                page = query.order_by(job.c.job_id).limit(_PAGE)
                found = list(connection.execute(page).scalars())
            yield from found
            after = found[-1] if found else after

    def stored(self, projection: str, job_id: str) -> StoredView | str | None:
        """Return all that is stored of a job, nothing believed, or why it cannot be read.

        None where there is nothing.
        """
        try:
            return self._stored(projection, job_id)
        except Exception as error:
            if is_outage(error):
                raise
            return f"what cannot be read: {self._damage.noted(projection, job_id, error).detail}"

    def _stored(self, projection: str, job_id: str) -> StoredView | None:
        table = self._databases.table(projection)
        with self._databases.reading(projection, f"verifying job {job_id!r}") as connection:
            found = connection.execute(
                jobs.read(job.c.no).where(jobs.is_of(projection, job_id))
            ).first()
            if found is None:
                return None
            document = whole(found.document, found.body)
            return StoredView(
                document,
                table.read(connection, found.no),
                parked.numbers_of(connection, projection, job_id),
                marks.of_job(connection, found.no),
                fault=table.fault(connection, found.no, document),
            )
