"""Runs that are to be removed from the archive, and wait until that is signed.

Who removes and who signs are two processes, which need not trust each other: one asks here, the
other one answers, and `verify` believes the log alone. A request is a job of a projection of its
own, beside the run states: the archive is being written to when it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson
from sqlalchemy import delete, select

from consumers.store.schema import job
from consumers.store.sql import insert_into

if TYPE_CHECKING:
    from consumers.store.databases import Databases

_HOME = "run-state"
_PROJECTION = "removals"


class Request(NamedTuple):
    """What is asked of one run."""

    job_id: str
    entries: int
    """How many entries are to be removed."""
    is_signed: bool = False


class Removals:
    """The requests. Each method is one transaction.

    Every method raises StoreUnavailable, an OSError, when the database does not answer.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def of(self, job_id: str) -> Request | None:
        """Return what is asked of a run."""
        found = self._databases.load(_PROJECTION, [job_id], home=_HOME).get(job_id)
        return None if found is None else _request(job_id, found)

    def put(self, partition: int, request: Request) -> None:
        """Ask, or answer, in place of what was asked of that run before."""
        document = orjson.dumps([request.entries, request.is_signed])
        row = {"projection": _PROJECTION, "job_id": request.job_id, "partition": partition}
        with self._databases.of(_HOME).write("asking for a signed removal") as connection:
            new = insert_into(connection, job).values(document=document, **row)
            key = ["projection", "job_id"]
            update = new.on_conflict_do_update(index_elements=key, set_={"document": document})
            connection.execute(update)

    def unsigned(self) -> list[tuple[int, Request]]:
        """Return what waits to be signed, with the partitions of the runs."""
        query = select(job.c.partition, job.c.job_id, job.c.document)
        with self._databases.reading(_HOME, "looking for asked removals") as connection:
            rows = connection.execute(query.where(job.c.projection == _PROJECTION)).all()
        found = [(row.partition, _request(row.job_id, row.document)) for row in rows]
        return [(no, one) for no, one in found if one is not None and not one.is_signed]

    def drop(self, job_id: str) -> None:
        """Forget what was asked of a run: it is removed."""
        of_job = (job.c.projection == _PROJECTION) & (job.c.job_id == job_id)
        with self._databases.of(_HOME).write("forgetting a removal") as connection:
            connection.execute(delete(job).where(of_job))


def _request(job_id: str, document: bytes) -> Request | None:
    try:
        entries, is_signed = orjson.loads(document)
    except (ValueError, TypeError):
        return None
    return Request(job_id, int(entries), bool(is_signed))
