"""Searching texts for a part of them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from sqlalchemy import func

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

_PART = re.compile(r"(\[(?:!.|[^!])[^\]]*\])|[*?%_\\]", re.DOTALL)
_LAST_SIGN = "\U0010ffff"
_LITERAL = re.compile(r"[^*?\[]*")


def contains(connection: Connection, column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Match texts that contain `part` as it stands, letters in either case."""
    if connection.dialect.name == "sqlite" and not part.isascii():
        return func.synapse_has(column, part.casefold())  # its LIKE knows the case of ASCII only
    for special in ("\\", "%", "_"):
        part = part.replace(special, "\\" + special)
    pattern = f"%{part}%"
    if connection.dialect.name == "sqlite":  # its LIKE is what others call ILIKE
        return column.like(pattern, escape="\\")
    return column.ilike(pattern, escape="\\")


def matches(
    connection: Connection, column: ColumnElement[Any], pattern: str
) -> list[ColumnElement[bool]]:
    """Match at least the texts that `fnmatchcase` does; what the pattern begins with is looked up.

    On PostgreSQL a class of characters stands for any.
    """
    if connection.dialect.name != "sqlite":
        return [column.like(_PART.sub(_as_like, pattern), escape="\\")]
    begin = _LITERAL.match(pattern)
    prefix = begin[0] if begin else ""
    conditions: list[ColumnElement[bool]] = []
    if prefix:
        conditions += [column >= prefix, column < f"{prefix}{_LAST_SIGN}"]
    if pattern != f"{prefix}*":
        conditions.append(func.synapse_fits(column, pattern))
    return conditions


def teach_sqlite(driver_connection: Any) -> None:
    """Have a connection of SQLite know how to match beyond ASCII, and patterns of names."""
    driver_connection.create_function("synapse_has", 2, _has, deterministic=True)
    driver_connection.create_function("synapse_fits", 2, fnmatchcase, deterministic=True)


def _as_like(part: re.Match[str]) -> str:
    """Return a part of a pattern as LIKE has it."""
    if part[0] == "*":
        return "%"
    return "_" if part[0] == "?" or part[1] else f"\\{part[0]}"


def _has(text: str | None, folded: str) -> bool:
    return text is not None and folded in text.casefold()
