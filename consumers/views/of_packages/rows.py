"""The rows of a view of another package."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, NamedTuple

from consumers.folding.canonical import line
from consumers.folding.differing import Difference, shown_json
from synapse_stream.entries.position import Position


class GivenRow(NamedTuple):
    """One row, and the entry it came from; `number` counts the rows of a job in their order."""

    number: int
    ms: int
    seq: int
    values: tuple[Any, ...]


class GivenRows(list[GivenRow]):
    """Rows in their order; the port `consumers.folding.port.Rows`."""

    def canonical(self, *, positions: bool = True) -> bytes:
        """Return every row, without what depends on the ids of entries if so asked."""
        if positions:
            return b"".join(line([row.number, row.ms, row.seq, *row.values]) for row in self)
        return b"".join(sorted(line(row.values) for row in self))

    def is_same(self, other: GivenRows, *, positions: bool = True) -> bool:
        """Tell whether `canonical` is the same."""
        return self.canonical(positions=positions) == other.canonical(positions=positions)

    def first_difference(self, found: GivenRows) -> Difference | None:
        """Return the first row that differs."""
        for one, two in zip_longest(self, found):
            if one != two:
                row = one or two
                place = None if row is None else Position(row.ms, row.seq)
                return Difference(_shown(one), _shown(two), place)
        return None


def _shown(row: GivenRow | None) -> str:
    return "no row" if row is None else f"row {row.number} {shown_json(row.values)}"
