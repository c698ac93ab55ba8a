"""Long lists in parts: databases bound how many values a statement may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Item = TypeVar("Item")

_AT_ONCE = 1_000


def slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Return `items` in parts that one statement takes."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
