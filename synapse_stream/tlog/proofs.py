"""Proofs of RFC 9162: an entry is in a tree (2.1.3), a tree is the beginning of another (2.1.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from synapse_stream.entries.tree import Tree, node

Hashes = Callable[[int, int], bytes]
"""Returns the root of the full subtree of 2**level entries, given level and number of that."""


def parts(size: int, hashes: Hashes) -> Tree:
    """Return the tree over the first `size` entries."""
    found, start = b"", 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            found += hashes(level, start >> level)
            start += 1 << level
    return Tree(size, found)


def inclusion(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """Return the proof that entry `index` is in the tree over `size` entries."""
    return _path(index, 0, size, hashes)


def consistency(old: int, new: int, hashes: Hashes) -> list[bytes]:
    """Return the proof that the tree over `old` entries is the beginning of that over `new`."""
    return _growth(old, 0, new, hashes, is_whole=True) if 0 < old < new else []


def is_included(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether a proof shows that entry `index`, of leaf hash `leaf`, is in a tree."""
    if not 0 <= index < size:
        return False
    number, last, found = index, size - 1, leaf
    for one in proof:
        if not last:
            return False
        if number & 1 or number == last:
            found = node(one, found)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            found = node(found, one)
        number, last = number >> 1, last >> 1
    return not last and found == root


def is_consistent(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether a proof shows that a tree is the beginning of another, or both are one."""
    if old == new or not old:
        return old <= new and not proof and (not old or old_root == new_root)
    if old > new or not proof:
        return False
    rest = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    first = second = rest[0]
    for one in rest[1:]:
        if not last:
            return False
        if number & 1 or number == last:
            first, second = node(one, first), node(one, second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            second = node(second, one)
        number, last = number >> 1, last >> 1
    return not last and first == old_root and second == new_root


def _root(begin: int, end: int, hashes: Hashes) -> bytes:
    count = end - begin
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return hashes(level, begin >> level)
    middle = begin + _half(count)
    return node(_root(begin, middle, hashes), _root(middle, end, hashes))


def _path(index: int, begin: int, end: int, hashes: Hashes) -> list[bytes]:
    if end - begin == 1:
        return []
    middle = begin + _half(end - begin)
    if index < middle:
        return [*_path(index, begin, middle, hashes), _root(middle, end, hashes)]
    return [*_path(index, middle, end, hashes), _root(begin, middle, hashes)]


def _growth(old: int, begin: int, end: int, hashes: Hashes, *, is_whole: bool) -> list[bytes]:
    """Return the proof for the first `old` entries; `is_whole` where they are a part known."""
    if old == end:
        return [] if is_whole else [_root(begin, end, hashes)]
    middle = begin + _half(end - begin)
    if old <= middle:
        proof = _growth(old, begin, middle, hashes, is_whole=is_whole)
        return [*proof, _root(middle, end, hashes)]
    proof = _growth(old, middle, end, hashes, is_whole=False)
    return [*proof, _root(begin, middle, hashes)]


def _half(count: int) -> int:
    """Return the largest power of two below a count."""
    return 1 << ((count - 1).bit_length() - 1)
