"""Searching texts for a part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def contains(column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Match texts that contain `part` as it stands; ASCII letters match in either case."""
    for special in ("\\", "%", "_"):
        part = part.replace(special, "\\" + special)
    return column.ilike(f"%{part}%", escape="\\")
