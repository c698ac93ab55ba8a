"""The right to project one partition of one projection."""

from __future__ import annotations

from typing import NamedTuple


class Lease(NamedTuple):
    """The exclusive right to project one partition for a while."""

    projection: str
    partition: int
    owner: str
    epoch: int
    position: tuple[int, int]
    """The checkpoint when the lease was acquired: id of the last feed entry that was committed."""


def describe(lease: Lease) -> str:
    """Name the lease in messages."""
    return f"partition {lease.partition} of {lease.projection}"
