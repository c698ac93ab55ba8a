"""How the consumers of one projection share its partitions: a pure rule that all follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


_REBUILD_SECONDS = 0.1  # of a turn, so that live work goes on,
_REBUILD_SHARE = 0.3  # or of what a long turn takes, so that rebuilding goes on under load, too,
_LONGEST_REBUILD_SECONDS = 1.0  # but not for so long that a lease is in danger


class Balance(NamedTuple):
    """What one consumer should do about its partitions."""

    release: list[int]
    wanted: int
    """How many more it may take."""


def balance(owner: str, members: Sequence[str], held: Collection[int], partitions: int) -> Balance:
    """Compare what `owner` holds with its fair share.

    The members in order get equal shares, the first of them one partition more where it does not
    divide evenly. So the shares add up to all partitions, and nobody waits for another's decision.
    `owner` counts in any case: it may have been stopped for so long that its membership lapsed.
    """
    order = sorted({owner, *members})
    small, extra = divmod(partitions, len(order))
    share = small + (order.index(owner) < extra)
    return Balance(sorted(held)[share:], max(0, share - len(held)))


def rebuild_seconds(turn_seconds: float) -> float:
    """Return how long jobs are folded anew after a turn that took so long."""
    return max(_REBUILD_SECONDS, min(_REBUILD_SHARE * turn_seconds, _LONGEST_REBUILD_SECONDS))
