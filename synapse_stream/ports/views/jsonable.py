"""Views as JSON can carry them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from synapse_stream.entries.position import Position
from synapse_stream.events.tags import escape, tag


def jsonable(value: Any) -> Any:
    """Return a view as JSON can carry it: positions as text, numbers as events have them."""
    if isinstance(value, Position):
        return str(value)
    if is_dataclass(value):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return jsonable(value._asdict())
    if isinstance(value, dict):
        return escape({key: jsonable(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return tag(value)
