"""What is opened of a deployment: its databases know the table of every view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers import views
from consumers.store.databases import Databases
from consumers.store.engine import CACHE_BYTES
from consumers.store.store import Store
from consumers.store.table import Table
from consumers.views.archive.reader import StoredArchive
from consumers.views.reader import StoredViews
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from synapse_stream.settings import Settings


def open_databases(settings: Settings, *, cache_bytes: int = CACHE_BYTES) -> Databases:
    """Return the databases of a deployment; each is opened when it is first needed.

    Then it is migrated if need be: StoreUnavailable while it cannot be reached, ConfigError if its
    schema is newer than this program or its views are of another deployment.

    Raises:
        ConfigError: the store's URL is wrong, or its driver is not installed.
    """
    return Databases(settings, views.names(), _table, views.RECORD, cache_bytes=cache_bytes)


def open_store(settings: Settings) -> Store:
    """Return the store of a deployment; raises as `open_databases`."""
    return Store(open_databases(settings))


def open_archive(settings: Settings) -> StoredArchive:
    """Return the archive of a deployment; raises as `open_databases`."""
    return StoredArchive(open_databases(settings))


def open_views(settings: Settings) -> StoredViews:
    """Return the views of a deployment as readers get them; raises as `open_databases`."""
    return StoredViews(open_databases(settings))


def _table(projection: str) -> Table:
    """Return the table of a view; of one that cannot be had here, none."""
    try:
        return views.find(projection).table
    except ConfigError:
        return Table()
