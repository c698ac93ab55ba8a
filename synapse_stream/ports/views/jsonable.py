"""Views as JSON can carry them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from synapse_stream.entries.position import Position
from synapse_stream.events.tags import escape, tag

_AS_THEY_ARE = frozenset({str, bool, type(None)})
_NAMES: dict[type, tuple[str, ...]] = {Position: ()}


def jsonable(value: Any) -> Any:
    """Return a view as JSON can carry it: positions as text, numbers as events have them."""
    kind = type(value)
    if kind in _AS_THEY_ARE:  # most of a run that has many steps
        return value
    if names := _names(kind):
        return {name: jsonable(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return escape({key: jsonable(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)) and kind is not Position:
        return [jsonable(item) for item in value]
    return str(value) if kind is Position else tag(value)


def _names(kind: type) -> tuple[str, ...]:
    """Return the names of the fields of what has some."""
    names = _NAMES.get(kind)
    if names is None:
        named = tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()
        names = _NAMES[kind] = getattr(kind, "_fields", named)
    return names
