"""Searching texts for a part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection


def contains(connection: Connection, column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Match texts that contain `part` as it stands; ASCII letters match in either case."""
    for special in ("\\", "%", "_"):
        part = part.replace(special, "\\" + special)
    pattern = f"%{part}%"
    if connection.dialect.name == "sqlite":  # its LIKE is what others call ILIKE
        return column.like(pattern, escape="\\")
    return column.ilike(pattern, escape="\\")
