"""What the store remembers of the anchors: how far each file of them was, and who refused to sign.

It stands beside the run states, as a job of a projection of its own, and names the newest anchor of
a partition. Anchors are kept elsewhere; so nobody can cut them without being noticed from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from consumers.store import jobs
from consumers.store.documents import whole
from consumers.store.schema import job
from consumers.store.sql import insert_into

if TYPE_CHECKING:
    from consumers.store.databases import Databases

_HOME = "run-state"  # not the archive: who removes a run signs that within a transaction there
_PROJECTION = "anchors"


class AnchorHeads:
    """What is remembered, by partition. Each method is one transaction.

    Every method raises StoreUnavailable, an OSError, when the database does not answer.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def recall(self, partition: int) -> dict[str, Any]:
        """Return what is remembered of a partition; nothing where nothing is, or it is damaged."""
        if not self._databases.is_founded(_HOME):
            return {}
        database = self._databases.of(_HOME)
        return _content(jobs.load(database, _PROJECTION, [str(partition)]).get(str(partition)))

    def remember(self, partition: int, content: dict[str, Any]) -> None:
        """Remember this of a partition, and nothing else."""
        row = {"projection": _PROJECTION, "job_id": str(partition), "partition": partition}
        document = orjson.dumps(content)
        with self._databases.of(_HOME).write("remembering anchors") as connection:
            new = insert_into(connection, job).values(document=document, **row)
            key = ["projection", "job_id"]
            update = new.on_conflict_do_update(index_elements=key, set_={"document": document})
            connection.execute(update)

    def refused(self) -> dict[int, str]:
        """Return the partitions in which nothing is signed any more, and why."""
        if not self._databases.is_founded(_HOME):
            return {}
        query = select(job.c.partition, job.c.document).where(job.c.projection == _PROJECTION)
        with self._databases.of(_HOME).read("looking for refused anchors") as connection:
            found = [
                (row.partition, _content(whole(row.document, None)))
                for row in connection.execute(query)
            ]
        return {no: content["refused"] for no, content in found if content.get("refused")}


def _content(document: bytes | None) -> dict[str, Any]:
    try:
        content = orjson.loads(document or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}
