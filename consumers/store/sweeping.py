"""Leaving nothing of what was deleted in a database."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from consumers.store.engine import Database

_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.05


def sweep(database: Database) -> str | None:
    """Write a SQLite file anew, so that nothing of what was deleted is left; return why not.

    PostgreSQL keeps what was deleted in its pages and its log until it writes over them.
    """
    if not database.is_sqlite:
        return "PostgreSQL keeps what was deleted until it writes over it; VACUUM FULL does so"
    with database.translated("leaving nothing of what was deleted"):
        connection = database.engine.raw_connection()
        try:
            return _sweep(connection.cursor(), database.address)
        finally:
            connection.close()


def _sweep(cursor: Any, address: str) -> str | None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not _is_vacuumed(cursor, until):
        time.sleep(_POLL_SECONDS)
    while cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > until:
            return f"{address} is read all the time, so its log still has what was deleted"
        time.sleep(_POLL_SECONDS)
    return None


def _is_vacuumed(cursor: Any, until: float) -> bool:
    """Tell whether it was, which others that write may hold up for a while."""
    try:
        cursor.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) or time.monotonic() > until:
            raise
        return False
    return True
