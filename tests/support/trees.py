"""The tree of RFC 9162 as its text defines it, to compare ours with."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from synapse_stream.entries.batch import parse_fields
from synapse_stream.entries.tree import leaf_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.entries.batch import RawEntry


def root_over(leaves: Sequence[bytes]) -> bytes:
    """Return MTH(D[n]) of section 2.1.1, given the hashes of the leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + root_over(leaves[:middle]) + root_over(leaves[middle:])).digest()


def root_of(entries: Sequence[RawEntry]) -> bytes:
    """Return the root over entries of a job."""
    return root_over([leaf_of(one, parse_fields(one.fields)) for one in entries])
