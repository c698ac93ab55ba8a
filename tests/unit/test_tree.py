"""The tree over a job's entries is that of RFC 9162, and its leaves tell entries apart."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.entries.batch import RawEntry, parse_fields, unpack
from synapse_stream.entries.tree import Tree, leaf_of
from tests.support.chains import Chain
from tests.support.entries import entry, stray
from tests.support.trees import root_over

# Those of Certificate Transparency's reference tests.
_INPUTS = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    bytes(range(96, 112)).hex(),
)
_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def leaves(count: int) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in range(count)]


def grown(some: list[bytes]) -> Tree:
    tree = Tree()
    for leaf in some:
        tree.add(leaf)
    return tree


def test_the_roots_are_those_of_certificate_transparency() -> None:
    tree = Tree()
    for text, root in zip(_INPUTS, _ROOTS, strict=True):
        tree.add(sha256(b"\0" + bytes.fromhex(text)).digest())
        assert tree.root().hex() == root


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_tree_goes_on_from_its_parts_as_if_it_had_never_stopped(count: int, cut: int) -> None:
    some = leaves(count)
    before = grown(some[:cut])
    tree = Tree(before.size, before.parts)
    for leaf in some[cut:]:
        tree.add(leaf)

    assert tree.size == count
    assert tree.parts == grown(some).parts
    assert tree.root() == root_over(some)


@pytest.mark.parametrize(("size", "parts"), [(0, 1), (1, 0), (3, 1), (4, 2), (4, 0)])
def test_parts_of_another_tree_are_refused(size: int, parts: int) -> None:
    with pytest.raises(ValueError, match="a tree of"):
        Tree(size, bytes(32) * parts)


def test_every_entry_has_a_leaf_of_its_own_however_it_is_packed() -> None:
    batch = Chain("job-1").add(*({"x": "y" * 40},) * 30)
    packed = entry((7, 1), batch)
    others = [
        packed._replace(ms=8),
        packed._replace(seq=2),
        *(packed._replace(fields={**packed.fields, name: value}) for name, value in _CHANGES),
        stray(7),
        stray(7, a=b"b", c=b""),
        stray(7, a=b"b\0\0\0\0c"),
        RawEntry(7, 1, {}),
    ]

    found = [leaf_of(one, parse_fields(one.fields)) for one in [packed, *others]]

    assert b"z" in packed.fields
    assert len({*found}) == len(found)
    plain = unpack("job-1", packed)
    assert leaf_of(plain, parse_fields(plain.fields)) == found[0]


_CHANGES = ((b"p", b"other"), (b"n", b"1"), (b"m", b"30"), (b"h", bytes(32)), (b"p", b"\xff"))
