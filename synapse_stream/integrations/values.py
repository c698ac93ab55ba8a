"""What other libraries measure, taken apart: numbers by name, and all else. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synapse_stream.events.numeric import as_number

_PLAIN = frozenset({float, int})


def split(values: Mapping[Any, Any], separator: str) -> tuple[Mapping[Any, Any], dict[Any, Any]]:
    """Return the numbers, and the rest.

    What is in mappings inside has a name of theirs and its own, with `separator` between. Numbers
    are those of NumPy, PyTorch and their like, too.
    """
    for value in values.values():
        if type(value) not in _PLAIN:
            break
    else:
        return values, {}
    numbers: dict[Any, Any] = {}
    rest: dict[Any, Any] = {}
    _take_apart(values, "", separator, numbers, rest)
    return numbers, rest


def _take_apart(
    values: Mapping[Any, Any],
    before: str,
    separator: str,
    numbers: dict[Any, Any],
    rest: dict[Any, Any],
) -> None:
    for name, value in values.items():
        full = f"{before}{name}" if before else name
        if isinstance(value, Mapping):
            _take_apart(value, f"{full}{separator}", separator, numbers, rest)
            continue
        number = as_number(value)
        if number is None:
            rest[full] = value
        else:
            numbers[full] = number
