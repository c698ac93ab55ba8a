"""What a process keeps in memory of the leases it holds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumers.store.checkpoints import Lease

Kept = TypeVar("Kept")


class Memory:
    """One thing a partition of a projection, good for one epoch of its lease."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], tuple[int, Any]] = {}

    def of(self, lease: Lease, begin: Callable[[], Kept]) -> Kept:
        """Return what is kept for the lease; `begin` makes it when there is nothing yet."""
        place = lease[:2]
        if place not in self._kept or self._kept[place][0] != lease.epoch:
            self._kept[place] = (lease.epoch, begin())
        kept: Kept = self._kept[place][1]
        return kept

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
