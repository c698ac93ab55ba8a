"""Proofs: those of a tree hold for it alone, in the tree as RFC 9162 defines it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from synapse_stream.entries.tree import leaf
from synapse_stream.tlog.proofs import consistency, inclusion, is_consistent, is_included
from tests.support.trees import root_over

if TYPE_CHECKING:
    from synapse_stream.tlog.proofs import Hashes

_SIZES = range(1, 34)
LEAVES = [leaf(b"%d" % number) for number in range(max(_SIZES))]
ROOTS = [root_over(LEAVES[:size]) for size in range(max(_SIZES) + 1)]


def hashes_of(leaves: list[bytes]) -> Hashes:
    return lambda level, number: root_over(leaves[number << level : (number + 1) << level])


HASHES = hashes_of(LEAVES)


def test_every_entry_is_shown_to_be_in_every_tree_and_in_no_other_place() -> None:
    for size in _SIZES:
        for index in range(size):
            proof = inclusion(index, size, HASHES)
            places = [
                place
                for place in range(-1, size + 1)
                if is_included(LEAVES[index], place, size, ROOTS[size], proof)
            ]
            assert places == [index]
            assert not is_included(LEAVES[index - 1], index, size, ROOTS[size], proof) or size == 1
            assert not is_included(LEAVES[index], index, size, ROOTS[size - 1], proof)
            assert not is_included(LEAVES[index], index, size, ROOTS[size], [*proof, LEAVES[0]])
            assert not proof or not is_included(LEAVES[index], index, size, ROOTS[size], proof[:-1])


def test_growth_is_shown_and_nothing_else_is() -> None:
    for old, new in itertools.product((0, *_SIZES), _SIZES):
        if old > new:
            assert not is_consistent(old, ROOTS[old], new, ROOTS[new], [])
            continue
        proof = consistency(old, new, HASHES)
        assert is_consistent(old, ROOTS[old], new, ROOTS[new], proof)
        assert not is_consistent(old, ROOTS[old], new, ROOTS[new], [*proof, LEAVES[0]])
        if 0 < old < new:
            forked = [*LEAVES[: old - 1], leaf(b"another"), *LEAVES[old:]]
            other, root = consistency(old, new, hashes_of(forked)), root_over(forked[:new])
            assert not is_consistent(old, ROOTS[old], new, root, other)
            assert not is_consistent(old, ROOTS[old], new, root, proof)
            assert not is_consistent(old, ROOTS[old], new, ROOTS[new], proof[:-1])


def test_a_proof_in_a_log_of_a_thousand_million_entries_takes_less_than_2_kilobytes() -> None:
    count = 10**9

    proof = inclusion(count // 3, count, lambda level, number: leaf(b"%d %d" % (level, number)))

    assert sum(map(len, proof)) <= 2 * 1024
