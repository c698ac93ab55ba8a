"""How a tail was cut that came again after a server lost it.

The same lines came, as a rule in other batches, hence with other hashes. An archive that had the
lines keeps of these batches only what the hashes can be made anew from: a list of the first number
and, of each batch, its last number and its salts in hex; `[2, [6, "…"], [7, "…"]]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.entries.leaves import SEED_BYTES, root_of
from synapse_stream.entries.tree import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence


class CutBatch(NamedTuple):
    """One of the batches in which it came."""

    end: int
    """Its last number."""
    salts: bytes
    """Its seed; where one of its lines was erased, the root over its leaves in place of that."""

    def root(self, data: bytes) -> bytes:
        """Return the root over its leaves, given its lines.

        Raises:
            ValueError: the salts are none.
        """
        return self.salts if len(self.salts) == HASH_BYTES else root_of(self.salts, data)


class Cut(NamedTuple):
    """A tail that came again."""

    first: int
    batches: Sequence[CutBatch]

    @property
    def last(self) -> int:
        """The last number that came again."""
        return self.batches[-1].end


def parse_cut(found: Sequence[Any]) -> Cut:
    """Read the list of a tail.

    Raises:
        ValueError, TypeError, IndexError: it is none.
    """
    first, *batches = found
    cut = Cut(first + 0, [CutBatch(end + 0, bytes.fromhex(salts)) for end, salts in batches])
    if not all(len(batch.salts) in {SEED_BYTES, HASH_BYTES} for batch in batches and cut.batches):
        msg = "salts of another length"
        raise ValueError(msg)
    return cut
