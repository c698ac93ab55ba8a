"""Whether a database can be read through, for who looks after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consumers.errors import StoreUnavailable
from consumers.store.failures import DAMAGED

if TYPE_CHECKING:
    from consumers.store.databases import Databases


class Fault(NamedTuple):
    """What is wrong with the database of a projection."""

    text: str
    file: str | None
    """The file that is damaged; None when it is something else."""


def examine(databases: Databases, projection: str) -> Fault | None:
    """Read a database through; None when nothing is wrong, or there is none yet.

    A SQLite file is read from its beginning to its end.
    """
    if not databases.is_founded(projection):
        return None
    try:
        database = databases.of(projection)
        with database.read(f"looking through the database of {projection}") as connection:
            if not database.is_sqlite:
                return None
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except StoreUnavailable as error:
        is_damaged = DAMAGED in error.reason
        return Fault(str(error), databases.file_of(projection) if is_damaged else None)
    if found == "ok":
        return None
    return Fault(f"the store {database.address} is damaged: {found}", database.address)
