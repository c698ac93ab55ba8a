"""What a process keeps in memory of the leases it holds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from consumers.store.documents import Bases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumers.store.lease import Lease

Kept = TypeVar("Kept")


class Memory:
    """Things of a partition of a projection, one a kind, good for one lease.

    Its epoch alone does not tell: an older copy of a database gives the same ones again.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], tuple[Lease, dict[str, Any]]] = {}

    def of(self, lease: Lease, begin: Callable[[], Kept], kind: str = "rows") -> Kept:
        """Return what is kept for the lease; `begin` makes it when there is nothing yet."""
        place = lease[:2]
        if place not in self._kept or self._kept[place][0] != lease:
            self._kept[place] = (lease, {})
        things = self._kept[place][1]
        if kind not in things:
            things[kind] = begin()
        kept: Kept = things[kind]
        return kept

    def bases(self, lease: Lease) -> Bases:
        """Return the large documents that were written whole under the lease."""
        return self.of(lease, Bases, "bases")

    @contextmanager
    def in_doubt(self, lease: Lease) -> Iterator[None]:
        """Forget what is kept for the lease if anything goes wrong: it may name lost rows."""
        try:
            yield
        except BaseException:
            self.forget(lease)
            raise

    def forget(self, lease: Lease) -> None:
        """Forget what is kept for the lease: rows have changed hands."""
        self._kept.pop(lease[:2], None)
