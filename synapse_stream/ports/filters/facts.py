"""Facts of a run: what filters, orders and columns read of it, by the names of its fields. Pure."""

from __future__ import annotations

from contextlib import suppress
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.ports.filters.fields import LONGEST_NAME, as_number

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_TEXT = 400
"""Characters of a text that count: what is behind them is neither compared nor shown in columns."""
MOST_NAMES = 1_000
"""Names of params, and of labels, that count, the outer ones first."""
_DEEPEST = 8


class Fact(NamedTuple):
    """What a run has in one field, as it is compared and sorted."""

    text: str
    """A text as it is; anything else as JSON."""
    number: float | None
    """None unless it is a number or a text that reads as one; NaN is none."""
    is_text: bool

    @classmethod
    def of(cls, value: Any) -> Fact:
        """Read a value, such as that of a label."""
        number = as_number(value)
        known = None if number is None or isnan(number) else number
        is_text = isinstance(value, str)
        return cls(shortened(value if is_text else _json(value)), known, is_text)

    @property
    def value(self) -> Any:
        """What it was read from; of what is too long, the text of its beginning."""
        if self.is_text:
            return self.text
        for read in (orjson.loads, float):
            with suppress(ValueError):
                return read(self.text)
        return self.text


def facts(named: Mapping[str, Any], labels: Any, params: Any) -> dict[str, Fact]:
    """Return what a run has by field: `named` as it is, labels, and params with what lies deeper.

    Of two that have one name, `{"a.b": 1, "a": {"b": 2}}`, the outer one counts.
    """
    found = {name: value for name, value in named.items() if value is not None}
    found |= _flat("labels", labels) | _flat("params", params)
    return {shortened(name)[:LONGEST_NAME]: Fact.of(value) for name, value in found.items()}


def _flat(kind: str, value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    level = [(kind, value)]
    for _ in range(_DEEPEST):
        level = [
            (f"{prefix}.{name}", inner)
            for prefix, outer in level
            if isinstance(outer, dict)
            for name, inner in outer.items()
        ][:MOST_NAMES]
        for name, inner in level:
            if inner is not None and len(found) < MOST_NAMES:
                found.setdefault(name, inner)
    return found


def _json(value: Any) -> str:
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return str(value)


def shortened(text: str) -> str:
    """Return what of a text counts."""
    return text.replace("\0", "")[:LONGEST_TEXT]
