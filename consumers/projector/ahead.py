"""Making the next thing while one is worked on."""

from __future__ import annotations

from concurrent.futures import wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from concurrent.futures import Executor

Item = TypeVar("Item")

_END = object()


def ahead(items: Iterator[Item], executor: Executor) -> Generator[Item, None, None]:
    """Yield `items`, each made by `executor` while the one before is worked on.

    Close it to stop early: then nothing is being made any more. What `items` raises is raised here,
    in its place.
    """
    coming = executor.submit(next, items, _END)
    try:
        while (item := coming.result()) is not _END:
            coming = executor.submit(next, items, _END)
            yield item  # type: ignore[misc]  # it is no _END
    finally:
        wait([coming])
