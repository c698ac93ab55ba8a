"""Searching texts for a part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection


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


def teach_sqlite(driver_connection: Any) -> None:
    """Have a connection of SQLite know how to match beyond ASCII."""
    driver_connection.create_function("synapse_has", 2, _has, deterministic=True)


def _has(text: str | None, folded: str) -> bool:
    return text is not None and folded in text.casefold()
