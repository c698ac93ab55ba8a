"""One form of what is stored of a job, whatever it went through: to be compared byte for byte."""

from __future__ import annotations

from typing import Any

import orjson


def of_document(document: bytes, by_position: frozenset[str] | None = None) -> bytes:
    """Return a fold's document in its one form.

    Given the keys of a view's state that depend on positions, without them: see `Rows`.
    """
    content = orjson.loads(document)
    if isinstance(content, dict):
        content.pop("job", None)  # documents of before did not say whose they are
    return line(content if by_position is None else _without(content, {*by_position, "position"}))


def line(content: Any) -> bytes:
    """Return a line of JSON with sorted keys."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _without(content: Any, names: set[str]) -> Any:
    if isinstance(content, list):
        return [_without(item, names) for item in content]
    if not isinstance(content, dict):
        return content
    return {key: _without(item, names) for key, item in content.items() if key not in names}
