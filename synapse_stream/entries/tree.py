"""The Merkle tree of a job's record, as RFC 9162 has it: what its root vouches for nobody can move.

A leaf is one entry, in the order of the archive: its id, and of a batch the producer, the first and
the last number and the chain hash, of anything else all its fields.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.entries.batch import Parts, RawEntry

HASH_BYTES = 32

_LEAF, _NODE = b"\0", b"\1"
_LENGTH_BYTES = 4


def leaf_of(entry: RawEntry, part: Parts | None) -> bytes:
    """Return the leaf hash (32 bytes) of an entry.

    Args:
        entry: as it stands in the stream or the archive; whether it is compressed does not matter.
        part: of it, as `parse_fields` returns it.
    """
    ms, seq, fields = entry
    if part is None:
        return leaf(b"entry %d-%d\n%b" % (ms, seq, joined(fields)))
    numbers = b"%b\n%d\n%d\n" % (part.producer, part.first, part.last)
    return leaf(b"batch %d-%d\n%b%b" % (ms, seq, numbers, part.hash))


def joined(fields: Mapping[bytes, bytes]) -> bytes:
    """Return names and values in their order, each behind its length (4 bytes, little endian)."""
    words = [word for pair in fields.items() for word in pair]
    return b"".join(
        part for word in words for part in (len(word).to_bytes(_LENGTH_BYTES, "little"), word)
    )


class Tree:
    """A tree that only grows; it keeps the roots of its full parts, at most 64."""

    def __init__(self, size: int = 0, parts: bytes = b"") -> None:
        """Go on from a `size` and `parts` that a tree had, or begin with no leaf.

        Raises:
            ValueError: a tree of that size has another number of parts.
        """
        if len(parts) != size.bit_count() * HASH_BYTES:
            msg = f"a tree of {size} leaves has not {len(parts)} bytes of parts"
            raise ValueError(msg)
        self.size = size
        self._parts = [parts[i : i + HASH_BYTES] for i in range(0, len(parts), HASH_BYTES)]

    @property
    def parts(self) -> bytes:
        """The roots of the full parts, the largest first, 32 bytes each."""
        return b"".join(self._parts)

    def add(self, added: bytes) -> None:
        """Add a leaf hash."""
        left = self.size
        while left & 1:
            added = node(self._parts.pop(), added)
            left >>= 1
        self._parts.append(added)
        self.size += 1

    def root(self) -> bytes:
        """Return the tree's root (32 bytes)."""
        if not self._parts:
            return sha256(b"").digest()
        *larger, root = self._parts
        for part in reversed(larger):
            root = node(part, root)
        return root


def leaf(content: bytes) -> bytes:
    """Return the hash (32 bytes) of a leaf."""
    return sha256(_LEAF + content).digest()


def root_of_all(leaves: Sequence[bytes]) -> bytes:
    """Return the root (32 bytes) of the tree over these leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    while len(leaves) > 1:
        pairs = iter(leaves)
        level = [sha256(_NODE + left + right).digest() for left, right in zip(pairs, pairs)]  # noqa: B905 - one may be left over
        leaves = [*level, leaves[-1]] if len(leaves) & 1 else level
    return leaves[0]


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of what stands over two."""
    return sha256(_NODE + left + right).digest()
