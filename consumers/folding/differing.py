"""Where two contents of the same shape differ first."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from synapse_stream.entries.position import Position

_SHOWN = 200
_NOTHING = object()


def shown(data: bytes) -> str:
    """Return the beginning of stored bytes, for people."""
    text = data[:_SHOWN].decode(errors="backslashreplace")
    return text if len(data) <= _SHOWN else f"{text}…"


def shown_json(value: Any) -> str:
    """Return the beginning of a JSON value, for people."""
    return shown(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


class Difference(NamedTuple):
    """One difference, for people."""

    expected: str
    found: str
    position: Position | None = None


def first_difference(expected: Any, found: Any, path: str = "") -> Difference | None:
    """Return the first difference of two JSON values, keys in order; None if they are equal."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            inner = f"{path}.{key}" if path else str(key)
            one, two = expected.get(key, _NOTHING), found.get(key, _NOTHING)
            if difference := first_difference(one, two, inner):
                return difference
        return None
    if isinstance(expected, list) and isinstance(found, list):
        for index, (one, two) in enumerate(zip_longest(expected, found, fillvalue=_NOTHING)):
            if difference := first_difference(one, two, f"{path}[{index}]"):
                return difference
        return None
    if type(expected) is type(found) and expected == found:
        return None
    return Difference(f"{path} {_text(expected)}", _text(found))


def _text(value: Any) -> str:
    return "nothing" if value is _NOTHING else shown_json(value)
