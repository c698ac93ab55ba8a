"""Blame what is not where it should be, by what it means."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tests.support.scenes.audit import Tally


def count(tally: Tally, what: str, wanted: Sequence[Hashable], found: Sequence[Hashable]) -> None:
    """Blame what is lost, there more than once, unknown, or in another order."""
    if wanted == found:
        return
    expected, there = Counter(wanted), Counter(found)
    lost, more = expected - there, there - expected
    twice = Counter({thing: count for thing, count in more.items() if thing in expected})
    for name, things in (("lost", lost), ("twice", twice), ("unknown", more - twice)):
        if things:
            tally.blame(name, f"{what}: {next(iter(things))!r:.200}", things.total())
    if expected == there:
        tally.blame("disordered", what)
