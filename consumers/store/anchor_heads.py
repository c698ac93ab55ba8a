"""What the store remembers of the log of anchors: its newest checkpoint, and why none is added.

It stands beside the run states, as the one job of a projection of its own. The log is kept
elsewhere; so nobody can cut it without being noticed from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.store.schema import job
from consumers.store.sql import insert_into

if TYPE_CHECKING:
    from consumers.store.databases import Databases

_HOME = "run-state"
_PROJECTION, _JOB = "anchors", "log"


class AnchorHeads:
    """What is remembered. Each method is one transaction.

    Every method raises StoreUnavailable, an OSError, when the database does not answer.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def recall(self) -> dict[str, Any]:
        """Return what is remembered; nothing where nothing is, or it is damaged."""
        document = self._databases.load(_PROJECTION, [_JOB], home=_HOME).get(_JOB)
        try:
            content = orjson.loads(document or b"{}")
        except orjson.JSONDecodeError:
            return {}
        return content if isinstance(content, dict) else {}

    def remember(self, content: dict[str, Any]) -> None:
        """Remember this, and nothing else."""
        row = {"projection": _PROJECTION, "job_id": _JOB, "partition": 0}
        document = orjson.dumps(content)
        with self._databases.of(_HOME).write("remembering anchors") as connection:
            new = insert_into(connection, job).values(document=document, **row)
            key = ["projection", "job_id"]
            update = new.on_conflict_do_update(index_elements=key, set_={"document": document})
            connection.execute(update)

    def refused(self) -> str | None:
        """Return why nothing is signed any more; None where nothing hinders it."""
        reason = self.recall().get("refused")
        return reason if isinstance(reason, str) else None
