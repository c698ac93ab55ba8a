"""Blocks give back what was put in, whatever it was, and show when they were changed."""

from __future__ import annotations

import os
import tracemalloc
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.views.archive.block import loose_blocks, packed_blocks, read_block
from synapse_stream.entries.batch import Batch, RawEntry, parse_fields
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.errors import DecodeError
from tests.support.chains import Chain
from tests.support.entries import FIRST_MS, as_received, entry, stray, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumers.views.archive.block import Block

JOB = "job-1"
LARGE = 2**53 - 1


def read(blocks: Iterable[Block]) -> list[RawEntry]:
    """Return the entries of all blocks."""
    return [
        found
        for block in blocks
        for found in read_block(JOB, block.body, block.digest, is_loose=block.is_loose)
    ]


def loose(entries: list[RawEntry]) -> Iterable[Block]:
    return loose_blocks(entries, [parse_fields(found.fields) for found in entries])


def packed(entries: Iterable[RawEntry]) -> list[Block]:
    return list(packed_blocks(JOB, iter(list(entries))))


def same(found: Iterable[RawEntry], expected: Iterable[RawEntry]) -> bool:
    return [unpacked(JOB, e) for e in found] == [unpacked(JOB, e) for e in expected]


def run(count: int = 50) -> list[RawEntry]:
    """Return entries of two producers in turns, some of them compressed."""
    chains = Chain(JOB, "one"), Chain(JOB, "two")
    return [
        entry(place, chains[place % 2].add(*({"x": place},) * (1 + place % 40)))
        for place in range(count)
    ]


raw_fields = st.dictionaries(st.binary(max_size=6), st.binary(max_size=40), max_size=6)


@st.composite
def batches(draw: st.DrawFn) -> dict[bytes, bytes]:
    """Draw the fields of batches, linked or not, sound or damaged."""
    first = draw(st.integers(0, 30) | st.integers(0, LARGE))
    last = draw(st.integers(first, min(first + 30, LARGE)))
    producer = draw(st.sampled_from(["one", "two", "é\u2028", "", "\0"]))
    data = draw(st.binary(max_size=60) | st.just(b'{"seq":0}\n' * 300))
    link = draw(st.binary(min_size=32, max_size=32))
    salts = draw(st.binary(min_size=16, max_size=16))
    fields = as_received(Batch(JOB, producer, first, last, link, data, salts))
    if draw(st.booleans()):
        return fields
    name = draw(st.sampled_from([*fields]))
    fault = draw(st.sampled_from(["damage", "drop", "add", "move"]))
    if fault == "damage":
        fields[name] = draw(st.binary(max_size=40))
    elif fault == "add":
        fields[b"new"] = b"1"
    else:
        value = fields.pop(name)
        if fault == "move":
            fields[name] = value
    return fields


@st.composite
def streams(draw: st.DrawFn) -> list[RawEntry]:
    """Draw entries whose ids grow, or go back at times."""
    found, ms = [], FIRST_MS
    for fields in draw(st.lists(raw_fields | batches(), max_size=12)):
        ms += draw(st.integers(-3, 5))
        found.append(RawEntry(ms, draw(st.integers(0, 3)), fields))
    return found


@given(streams())
def test_a_loose_block_gives_back_every_byte(entries: list[RawEntry]) -> None:
    assert read(loose(entries)) == entries


@settings(max_examples=300)
@given(streams())
def test_packing_loses_nothing_but_the_compression_of_single_batches(
    entries: list[RawEntry],
) -> None:
    assert same(read(packed(read(loose(entries)))), entries)


@given(streams(), st.data())
def test_packing_packed_blocks_again_changes_nothing(
    entries: list[RawEntry], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(entries)))
    once = [*read(packed(entries[:cut])), *read(packed(entries[cut:]))]

    assert packed(once) == packed(entries)


def test_hashes_that_follow_are_left_out_and_come_back() -> None:
    entries = run(400)

    (block,) = packed(entries)

    assert same(read([block]), entries)
    lines = sum(len(unpacked(JOB, found)[2][-1][1]) for found in entries)
    assert block.size < lines + 400 * (32 + 16)  # with every hash it would be more


def test_a_hash_that_does_not_follow_is_kept() -> None:
    entries = run(40)
    entries[17].fields[b"h"] = os.urandom(32)  # type: ignore[index]

    assert same(read(packed(entries)), entries)


def test_a_packed_block_is_full_at_about_a_mebibyte() -> None:
    chain = Chain(JOB)
    line = b'{"seq":0,"text":"' + b"x" * 100_000 + b'"}\n'
    entries = [entry(place, chain.add_data(line, 1)) for place in range(30)]

    blocks = packed(entries)

    assert [block.entries for block in blocks] == [11, 11, 8]
    assert same(read(blocks), entries)


def test_ids_grow_within_a_block() -> None:
    chain = Chain(JOB)
    entries = [entry(place, chain.add()) for place in (5, 6, 7, 3, 4, 4, 9)]

    for blocks in (list(loose(entries)), packed(entries)):
        assert [(b.first[0] - FIRST_MS, b.last[0] - FIRST_MS) for b in blocks] == [
            *((5, 7), (3, 4), (4, 9))
        ]


@pytest.mark.parametrize("is_loose", [True, False])
def test_a_changed_block_is_refused(is_loose: bool) -> None:
    entries = run(30)
    (block,) = loose(entries) if is_loose else packed(entries)
    for place in range(0, len(block.body), 97):
        body = bytearray(block.body)
        body[place] ^= 1

        with pytest.raises(DecodeError, match="its digest differs"):
            read_block(JOB, bytes(body), block.digest, is_loose=is_loose)


def test_lines_changed_under_a_digest_made_anew_do_not_link_to_the_block_s_last_hash() -> None:
    chain = Chain(JOB)
    (block,) = packed([entry(place, chain.add({"x": place})) for place in range(20)])
    body = (
        zstandard.decompress(block.body).replace(b'"x":9,', b'"x":8,').replace(b'"x":9}', b'"x":8}')
    )
    forged = zstandard.compress(body)
    assert body != zstandard.decompress(block.body)

    found = read_block(JOB, forged, sha256(forged).digest(), is_loose=False)

    links = [recorded_batch(JOB, e).batch for e in found]
    assert links[0]
    previous, unlinked = links[0].hash, []
    for batch in links[1:]:
        assert batch
        if not batch.is_linked_to(previous):
            unlinked.append(batch.first)
        previous = batch.hash
    assert unlinked == [19]


@pytest.mark.parametrize(
    "change",
    [
        {b"n": b"00"},
        {b"n": b" 0"},
        {b"n": b"+0"},
        {b"n": b"3"},
        {b"m": b"1_0"},
        {b"m": b"9" * 5000},
        {b"h": b"short"},
        {b"p": b"\xff"},
        {b"p": b"p" * 201},
        {b"q": b"more"},
    ],
)
def test_only_what_the_append_script_writes_counts_as_a_batch(change: dict[bytes, bytes]) -> None:
    fields = as_received(Chain(JOB).add({}, {}))

    assert parse_fields(fields) is not None
    assert parse_fields({**fields, **change}) is None


def test_a_frame_that_cannot_be_unpacked_is_kept_as_it_is() -> None:
    fields = as_received(Chain(JOB).add(*({"x": "y" * 100},) * 30))
    damaged = RawEntry(FIRST_MS, 0, {**fields, b"z": fields[b"z"][:40]})

    assert read(packed([damaged, stray(1)])) == [damaged, stray(1)]


def rewritten(block: Block, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the body of a block with another head."""
    body = block.body if block.is_loose else zstandard.decompress(block.body)
    stop = 4 + int.from_bytes(body[:4], "little")
    head = orjson.loads(body[4:stop])
    text = change(head)
    text = text if isinstance(text, bytes) else orjson.dumps(head)
    changed = len(text).to_bytes(4, "little") + text + body[stop:]
    return changed if block.is_loose else zstandard.compress(changed)


def refused(body: bytes, *, is_loose: bool) -> bool:
    try:
        read_block(JOB, body, sha256(body).digest(), is_loose=is_loose)
    except DecodeError as error:
        return "cannot be read" in str(error)
    return False


@pytest.mark.parametrize("is_loose", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        lambda head: head.update(more=[]),
        lambda head: head.update(ms=[*head["ms"], 1]),
        lambda head: head["ms"].__setitem__(1, 0),
        lambda head: head["ms"].__setitem__(1, -1),
        lambda head: head["ms"].__setitem__(1, 1.0),
        lambda head: head["count"].__setitem__(0, True),
        lambda head: head["count"].__setitem__(0, 0),
        lambda head: head["first"].__setitem__(0, -1),
        lambda head: head["who"].__setitem__(0, -1),
        lambda head: head["who"].__setitem__(0, 2),
        lambda head: head["who"].reverse(),
        lambda head: head["producers"].append("three"),
        lambda head: head["producers"].__setitem__(1, "one"),
        lambda head: head["producers"].__setitem__(1, 7),
        lambda head: head["form"].__setitem__(0, 3),
        lambda head: head["size"].__setitem__(0, head["size"][0] + 1),
        lambda head: head.update(size=[-1, *head["size"][1:-1], sum(head["size"][::29]) + 1]),
        lambda head: head.update(hashed=[0, 0]),
        lambda head: head.update(hashed=[1, 0]),
        lambda head: head.update(hashed=[0, 99]),
        lambda head: head.update(hashed=[-1]),
        lambda head: head.pop("hashed"),
        lambda head: head.update(hashed=[] if head["hashed"] is None else None),
        lambda head: orjson.dumps(head) + b" ",
        lambda head: orjson.dumps(head).replace(b'"ms":', b'"ms":[1],"ms":'),
        lambda head: orjson.dumps(head, option=orjson.OPT_SORT_KEYS),
        lambda _head: b"[]",
        lambda _head: b"",
    ],
)
def test_a_head_that_is_written_in_another_way_is_refused(is_loose: bool, change: Any) -> None:
    entries = run(30)
    (block,) = loose(entries) if is_loose else packed(entries)
    assert not refused(rewritten(block, lambda _head: None), is_loose=is_loose)

    assert refused(rewritten(block, change), is_loose=is_loose)


def silent(data: bytes) -> bytes:
    """Return a zstd frame that does not say how large it is."""
    return zstandard.ZstdCompressor(write_content_size=False).compress(data)


def test_a_packed_block_is_exactly_one_frame_whether_it_says_its_size_or_not() -> None:
    entries = run(30)
    (block,) = packed(entries)
    plain = zstandard.decompress(block.body)
    frame = silent(plain)

    assert same(read([block._replace(body=frame, digest=sha256(frame).digest())]), entries)
    for body in (block.body, frame):
        for more in (b"x", body, zstandard.compress(b""), b"\x50\x2a\x4d\x18\0\0\0\0"):
            assert refused(body + more, is_loose=False)
        assert refused(body[:-1], is_loose=False)
    assert refused(block.body, is_loose=True)
    assert refused(plain, is_loose=False)


@pytest.mark.parametrize("frame", [zstandard.compress, silent], ids=["sized", "silent"])
def test_a_block_that_is_too_large_is_refused_before_it_takes_memory(frame: Any) -> None:
    large = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    body = b"".join([*(large.compress(bytes(1 << 20)) for _ in range(128)), large.flush()])
    if frame is zstandard.compress:  # the same frame, with a size of 8 bytes in its header
        body = (
            body[:4]
            + bytes([body[4] | 0xC0])
            + body[5:6]
            + (1 << 50).to_bytes(8, "little")
            + body[6:]
        )

    tracemalloc.start()
    assert refused(body, is_loose=False)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
