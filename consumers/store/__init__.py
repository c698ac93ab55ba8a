"""The store of the views: the only folder that speaks SQL.

No error of SQLAlchemy or of a driver leaves it: a database that cannot take or answer a statement
is StoreUnavailable, a lease that another has taken is LeaseLost, a setting that is wrong is
ConfigError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.store.anchored import AnchorDatabase
from consumers.store.archived import StoredArchive, open_archive
from consumers.store.audited import AuditedStore
from consumers.store.checkpoints import Checkpoint, Lease
from consumers.store.databases import Databases
from consumers.store.marks import StoredMarks, open_marks
from consumers.store.parked import ParkedEvent, Retried
from consumers.store.rebuilds import Rebuild
from consumers.store.store import JobWrite, Store
from consumers.store.views import StoredViews, open_views

if TYPE_CHECKING:
    from synapse_stream.settings import Settings

__all__ = [
    "AnchorDatabase",
    "AuditedStore",
    "Checkpoint",
    "Databases",
    "JobWrite",
    "Lease",
    "ParkedEvent",
    "Rebuild",
    "Retried",
    "Store",
    "StoredArchive",
    "StoredMarks",
    "StoredViews",
    "open_archive",
    "open_marks",
    "open_store",
    "open_views",
]


def open_store(settings: Settings) -> Store:
    """Return the store of a deployment. A database is opened when it is first needed.

    Then it is migrated if need be: StoreUnavailable while it cannot be reached, ConfigError if its
    schema is newer than this program or its views are of another deployment.

    Raises:
        ConfigError: the store's URL is wrong, or its driver is not installed.
    """
    return Store(Databases(settings))
