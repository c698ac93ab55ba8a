"""Leaves of a batch: what shares one, what is left of one that was erased."""

from __future__ import annotations

from hashlib import sha256, shake_256
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.entries.leaves import Leaf, are_salts, have_lines, leaves_of, root_of, written
from synapse_stream.entries.tree import Tree, root_of_all

SEED = bytes(range(16))


def line(number: int, kind: str, **fields: Any) -> bytes:
    head = {"seq": number, "time": 1_763_880_000_000_000 + number, "type": kind, "v": 1}
    return orjson.dumps({**head, **fields}) + b"\n"


METRICS = [line(number, "metrics", values={"loss": number}) for number in range(3)]
PROGRESS = line(3, "progress", current=1, total=2)
MESSAGE = line(4, "message", content='says "type":"metrics"')
NESTED = line(5, "log", event="x", data={"type": "metrics", "seq": 1})
END = line(6, "end", status="completed", count=7)
LINES = [*METRICS, PROGRESS, MESSAGE, NESTED, END, line(7, "metrics", values={})]

kinds = st.sampled_from(["metrics", "progress", "message", "log", "end", "metrics2"])


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Draw lines of a batch; foreign ones, too, the last of which may not end."""
    ours = st.builds(line, st.integers(0, 10**9), kinds, content=st.text(max_size=9))
    some: bytes = b"".join(draw(st.lists(ours | st.binary(max_size=9), max_size=9)))
    return some


def test_metrics_and_progress_in_a_row_share_a_leaf_and_every_other_line_has_its_own() -> None:
    found = [leaf.lines for leaf in leaves_of(SEED, b"".join(LINES))]

    assert found == [b"".join(LINES[:4]), MESSAGE, NESTED, END, LINES[7]]


def test_leaf_and_root_are_written_down() -> None:
    salts = shake_256(SEED).digest(48)
    one, two, three = (
        sha256(b"\0" + salts[16 * i : 16 * i + 16] + text).digest()
        for i, text in enumerate((MESSAGE, NESTED, END))
    )

    root = sha256(b"\1" + sha256(b"\1" + one + two).digest() + three).digest()
    assert root_of(SEED, MESSAGE + NESTED + END) == root


def test_a_batch_without_lines_has_the_root_of_an_empty_tree() -> None:
    assert root_of(SEED, b"") == sha256(b"").digest()


@given(contents(), st.data())
def test_what_stands_in_place_of_a_seed_gives_the_same_root(
    data: bytes, draw: st.DataObject
) -> None:
    leaves = leaves_of(SEED, data)
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf.hash)
    assert b"".join(leaf.lines for leaf in leaves) == data
    assert root_of(SEED, data) == tree.root()
    if not leaves:
        return
    gone = draw.draw(st.sets(st.integers(0, len(leaves) - 1), min_size=1))
    less = [
        Leaf(b"{}\n" * leaf.lines.count(b"\n"), b"", leaf.hash) if i in gone else leaf
        for i, leaf in enumerate(leaves)
        if leaf.lines.endswith(b"\n")
    ]
    salts, rest = written(less), b"".join(leaf.lines for leaf in less)

    if less:
        assert are_salts(salts)
        assert have_lines(salts, rest)
        assert leaves_of(salts, rest) == less
        assert root_of(salts, rest) == root_of_all([leaf.hash for leaf in less])


def erased() -> tuple[bytes, bytes]:
    """Return salts and lines of a batch of which the second leaf was erased."""
    leaves = leaves_of(SEED, b"".join(LINES))
    leaves[1] = Leaf(b"{}\n", b"", leaves[1].hash)
    return written(leaves), b"".join(leaf.lines for leaf in leaves)


def test_neither_seed_nor_salt_of_an_erased_line_is_left() -> None:
    salts, _ = erased()
    stream = shake_256(SEED).digest(80)

    assert SEED not in salts
    assert [stream[16 * i : 16 * i + 16] in salts for i in range(5)] == [True, False, *[True] * 3]


@pytest.mark.parametrize("salts", [b"", b"x" * 15, b"x" * 17, b"\2" + bytes(20), bytes(20)])
def test_what_are_no_salts_is_refused(salts: bytes) -> None:
    assert not are_salts(salts)
    with pytest.raises(ValueError, match="salts"):
        root_of(salts, MESSAGE)


def test_salts_of_other_lines_are_refused() -> None:
    salts, lines = erased()

    assert not have_lines(salts, lines + MESSAGE)
    with pytest.raises(ValueError, match="other lines"):
        root_of(salts, lines + MESSAGE)


def test_a_salt_or_leaf_of_another_gives_another_root() -> None:
    salts, lines = erased()
    swapped = salts[:5] + salts[-16:] + salts[21:-16] + salts[5:21]
    moved = salts.replace(leaves_of(SEED, b"".join(LINES))[1].hash, bytes(32))

    assert are_salts(swapped)
    assert are_salts(moved)
    assert len({root_of(one, lines) for one in (salts, swapped, moved)}) == 3
