"""The store: what projectors write through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from consumers.store import checkpoints, folds, messages, parked, runs
from consumers.store.databases import Databases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.fold import Parked
    from consumers.store.checkpoints import Lease
    from synapse_stream.settings import Settings


class JobWrite(NamedTuple):
    """What a commit writes of one job."""

    job_id: str
    document: bytes
    """As `JobFold.document` returns it."""
    rows: Any
    """As `JobFold.rows` returns them."""
    entry: tuple[int, int]
    """Id of the job's first entry in this commit. A job's first commit keeps it: jobs are listed by
    their age."""


class Store:
    """Views, job documents, parked events, checkpoints and leases of a deployment.

    Every method is one transaction and raises StoreUnavailable when the database did not take or
    answer it. Methods may be called from several threads, those with a lease by one at a time.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
