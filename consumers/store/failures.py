"""Turn every failure of a database into one sentence of ours: what happened, where, what to do."""

from __future__ import annotations

import sqlite3

from sqlalchemy import exc

from consumers.errors import CannotStore, StoreDamaged, StoreUnavailable
from synapse_stream.redaction.urls import without_secrets

DAMAGED = "is damaged; `synapse-stream doctor` says what to do"
LACKING = "lacks a table; `synapse-stream doctor` says what to do"
_SQLITE_LACKING = "no such table"
_OF_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "XX", "58")
_BY_SQLITE_NAME = (
    ("SQLITE_BUSY", "is locked by another program for longer than 5 s"),
    ("SQLITE_LOCKED", "is locked by another program for longer than 5 s"),
    ("SQLITE_FULL", "has no room left on its disk"),
    ("SQLITE_READONLY", "may not be written by this user"),
    ("SQLITE_PERM", "may not be used by this user"),
    ("SQLITE_AUTH", "may not be used by this user"),
    ("SQLITE_CANTOPEN", "cannot be opened; does its folder exist, and may this user write there?"),
    ("SQLITE_NOTADB", DAMAGED),
    ("SQLITE_CORRUPT", DAMAGED),
    ("SQLITE_IOERR", "cannot be read or written: its disk failed"),
    ("SQLITE_NOMEM", "needs more memory than there is"),
)
_BY_SQLSTATE = (
    ("08", "cannot be reached"),
    ("25006", "is a read-only replica; name the primary"),
    ("28", "did not accept the login; it is given as in postgresql://USER:PASSWORD@host/database"),
    ("3D000", "has no such database; create it first"),
    ("40", "could not serialise this transaction with another"),
    ("42501", "does not permit this user what is needed"),
    ("42P01", LACKING),
    ("53100", "has no room left on its disk"),
    ("53200", "needs more memory than there is"),
    ("53300", "has too many connections open"),
    ("55P03", "is locked by another program"),
    ("57014", "cancelled the statement"),
    ("57P", "is stopping or starting"),
    ("58", "cannot read or write its files"),
    ("XX", "is damaged, see its log"),
)


# What is wrong with the values of a statement, not with the database: classes of SQLSTATE, the last
# one of what exceeds a limit of rows and indexes.
_OF_CONTENT = ("21", "22", "23", "54")
_SQLITE_OF_CONTENT = ("SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE")
VALUE_ERRORS = (OverflowError, UnicodeError)
"""What drivers raise, beside errors of their own, for values that they cannot send."""


def translate(
    error: BaseException, address: str, doing: str, url: str | None = None
) -> StoreUnavailable:
    """Return what to raise for `error`: it names the database, the purpose and, if any, a way out.

    Args:
        error: of SQLAlchemy or of the driver.
        address: the database, without its password.
        doing: what was being done, as in "committing partition 3 of run-state".
        url: of the database; what is secret in it is not repeated.
    """
    cause = _driver_error(error)
    words = without_secrets(" ".join(str(cause).split()), url)
    said = f": {words}" if words else ""
    kind = StoreUnavailable
    if _is_of_content(error):
        kind = CannotStore
    elif _code(cause).startswith(_OF_DAMAGE):
        kind = StoreDamaged
    return kind(f"the store {address} {_reason(cause)}", f"while {doing}{said}", address)


def _is_of_content(error: BaseException) -> bool:
    """Tell whether it is what the statement holds that cannot be stored."""
    if isinstance(error, exc.StatementError) and not isinstance(error, exc.DBAPIError):
        return True  # a value that SQLAlchemy cannot bind
    cause = _driver_error(error)
    if isinstance(cause, VALUE_ERRORS):
        return True
    if not isinstance(cause, sqlite3.Error):
        state = getattr(cause, "sqlstate", None)
        return state.startswith(_OF_CONTENT) if state else type(cause).__name__ == "DataError"
    name = getattr(cause, "sqlite_errorname", None)
    of_driver = (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
    return name.startswith(_SQLITE_OF_CONTENT) if name else isinstance(cause, of_driver)


def _driver_error(error: BaseException) -> BaseException:
    """Unpack SQLAlchemy's wrapper: its text repeats the statement and all that was written."""
    if isinstance(error, exc.StatementError) and error.orig is not None:
        return error.orig
    return error


def _code(error: BaseException) -> str:
    """Return the name or state by which a driver tells kinds of errors apart."""
    of_sqlite = isinstance(error, sqlite3.Error)
    return getattr(error, "sqlite_errorname" if of_sqlite else "sqlstate", None) or ""


def _reason(error: BaseException) -> str:
    if isinstance(error, sqlite3.Error):
        if str(error).startswith(_SQLITE_LACKING):
            return LACKING
        return _first(_BY_SQLITE_NAME, _code(error), "refused the statement")
    if isinstance(error, exc.TimeoutError):
        return "has too many statements at work in this process"
    state = _code(error)
    if not state and type(error).__name__ in {"OperationalError", "ConnectionTimeout"}:
        return "cannot be reached"
    return _first(_BY_SQLSTATE, state, "refused the statement")


def _first(reasons: tuple[tuple[str, str], ...], code: str, otherwise: str) -> str:
    return next((reason for prefix, reason in reasons if code.startswith(prefix)), otherwise)
