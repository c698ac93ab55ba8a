"""Batches: the fields of an entry, the chain hash, damage."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace
from hashlib import sha256, shake_256
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.entries.batch import (
    GENESIS,
    Batch,
    decode_events,
    decode_fields,
    encode_fields,
    parse_fields,
    seal,
)
from synapse_stream.entries.limits import LARGEST_DATA_BYTES, cut_fields, size_of
from synapse_stream.errors import DecodeError
from synapse_stream.events.encoding import MAX_EVENT_BYTES
from synapse_stream.producer.shipping.shipper import MAX_BATCH_BYTES

names = st.text(st.characters(codec="utf-8"), min_size=1)
contents = st.one_of(st.binary(), st.binary(min_size=1, max_size=50).map(lambda part: part * 100))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    first, data = draw(st.integers(0, 2**53)), draw(contents)
    last = first + data.count(b"\n") + draw(st.integers(0, 2**53))
    previous = draw(st.binary(min_size=32, max_size=32))
    return seal(previous, draw(names), draw(names), first, last, data)


def as_stored(batch: Batch) -> dict[bytes, bytes]:
    """Return the fields as a server gives them back."""
    return {
        name.encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in encode_fields(batch).items()
    }


@given(batch=batches())
def test_a_batch_is_read_back_as_it_was_written(batch: Batch) -> None:
    assert decode_fields(batch.job_id, as_stored(batch)) == batch


def test_the_chain_hash_is_written_down() -> None:
    data = b'{"seq":0}\n{"seq":1}\n'
    header = b"synapse-stream 1\njob\nproducer\n0\n1\n"

    batch = seal(GENESIS, "job", "producer", 0, 1, data, bytes(16))

    salts = shake_256(bytes(16)).digest(32)
    one = sha256(b"\0" + salts[:16] + b'{"seq":0}\n').digest()
    two = sha256(b"\0" + salts[16:] + b'{"seq":1}\n').digest()
    root = sha256(b"\1" + one + two).digest()
    assert batch.hash == sha256(bytes(32) + header + root).digest()
    assert batch.is_linked_to(GENESIS)
    assert not batch.is_linked_to(batch.hash)


@pytest.mark.parametrize(
    "change",
    [
        {"job_id": "x"},
        {"producer": "x"},
        {"first": 1},
        {"last": 2},
        {"data": b"x\n"},
        {"hash": GENESIS},
        {"salts": bytes(16)},
    ],
)
def test_any_changed_field_breaks_the_chain(change: dict[str, Any]) -> None:
    batch = seal(GENESIS, "job", "producer", 0, 1, b"a\nb\n")

    assert not replace(batch, **change).is_linked_to(GENESIS)


def test_only_large_batches_are_compressed() -> None:
    small = seal(GENESIS, "job", "p", 0, 0, b"x" * 1023)
    large = seal(GENESIS, "job", "p", 0, 0, b"x" * 1024)

    assert list(encode_fields(small)) == ["p", "n", "m", "h", "s", "d"]
    assert list(encode_fields(large)) == ["p", "n", "m", "h", "s", "z"]
    assert len(encode_fields(large)["z"]) < 100


@pytest.mark.parametrize(
    "damage",
    [
        {b"p": None},
        {b"p": b"\xff"},
        {b"n": b"one"},
        {b"h": None},
        {b"s": None},
        {b"s": b"short"},
        {b"z": None},
        {b"z": b"no frame"},
        {b"z": b""},
    ],
)
def test_a_damaged_entry_is_a_decode_error_that_names_the_job(
    damage: dict[bytes, bytes | None],
) -> None:
    fields = as_stored(seal(GENESIS, "job-7", "p", 0, 0, b"x" * 2000))
    damaged = {**fields, **damage}

    with pytest.raises(DecodeError, match="'job-7'"):
        decode_fields("job-7", {key: value for key, value in damaged.items() if value is not None})


def test_every_cut_of_a_compressed_batch_is_a_decode_error() -> None:
    fields = as_stored(seal(GENESIS, "job", "p", 0, 0, bytes(range(256)) * 8))
    frame = fields[b"z"]

    for length in range(len(frame)):
        with pytest.raises(DecodeError):
            decode_fields("job", {**fields, b"z": frame[:length]})


@pytest.mark.parametrize("size", [64 * 1024 * 1024 + 1, 2**40])
def test_a_frame_that_claims_a_huge_size_is_refused_unread(size: int) -> None:
    # magic number, descriptor "content size in 8 bytes, single segment", content size (RFC 8878)
    header = b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little")
    fields = as_stored(seal(GENESIS, "job", "p", 0, 0, b"x" * 2000))

    with pytest.raises(DecodeError, match=f"{size} bytes"):
        decode_fields("job", {**fields, b"z": header})


def framed(data: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)


def silent(data: bytes) -> bytes:
    """Return a frame that does not say how large it is."""
    return framed(data, write_content_size=False)


BOMB = b"\n" * (60 << 20)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({b"z": framed(BOMB)}, "62914560 bytes"),
        ({b"z": framed(b"\n" * 10**6)}, "65536 are allowed"),
        ({b"z": framed(b"{}\n" * 60_000)}, "60000 lines, but only 1 numbers"),
        ({b"z": framed(b"{}\n" * 60_000), b"n": b"7", b"m": b"3"}, "only 0 numbers"),
        ({b"z": silent(BOMB)}, "2097152 bytes"),
        ({b"z": silent(b"{}\n") + silent(BOMB)}, "unused data"),
        ({b"z": silent(b"{}\n") + b"x"}, "unused data"),
        ({b"z": silent(b"{}\n")[:-1]}, "not whole"),
        ({b"z": framed(b"{}\n") + framed(BOMB)}, "unused data"),
        ({b"z": framed(b"{}\n") + b"x"}, "unused data"),
        ({b"z": b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + framed(BOMB)}, "frame of -1 bytes"),
        ({b"d": b"x" * (3 << 20)}, "3145"),
        ({b"d": b"{}\n{}\n"}, "2 lines, but only 1 numbers"),
        ({b"x": b"y" * (3 << 20)}, "3145"),
    ],
)
def test_an_entry_larger_than_its_own_numbers_is_refused(
    change: dict[bytes, bytes], reason: str
) -> None:
    fields = as_stored(seal(GENESIS, "job", "p", 0, 0, b"x" * 2000)) | change

    tracemalloc.start()
    with pytest.raises(DecodeError, match=reason):
        decode_fields("job", fields)

    assert tracemalloc.get_traced_memory()[1] < 2 * LARGEST_DATA_BYTES
    tracemalloc.stop()


def test_a_frame_that_does_not_say_how_large_it_is_is_read_like_any_other() -> None:
    batch = seal(GENESIS, "job", "p", 0, 2999, b"{}\n" * 3000)
    fields = as_stored(batch) | {b"z": silent(batch.data)}

    parts = parse_fields(fields)

    assert parts
    assert parts.is_compressed
    assert decode_fields("job", fields) == batch


def test_a_frame_that_holds_more_than_it_says_is_refused() -> None:
    frame = framed(BOMB)
    lying = frame[:4] + b"\xa0" + (100).to_bytes(4, "little") + frame[frame.index(b"\0\0") :]
    fields = as_stored(seal(GENESIS, "job", "p", 0, 0, b"x" * 2000))

    with pytest.raises(DecodeError):
        decode_fields("job", {**fields, b"z": lying})


def test_the_largest_batch_of_a_shipper_is_read() -> None:
    line = b"x" * (MAX_EVENT_BYTES - 1) + b"\n"
    count = MAX_BATCH_BYTES // len(line) + 1
    batch = seal(GENESIS, "job", "p", 0, count - 1, line * count)

    assert decode_fields("job", as_stored(batch)) == batch
    assert MAX_BATCH_BYTES < len(batch.data) <= MAX_BATCH_BYTES + MAX_EVENT_BYTES


def test_what_is_too_large_to_be_kept_is_cut_and_stays_no_batch() -> None:
    fields = as_stored(seal(GENESIS, "job", "p", 0, 0, b"x" * 2000))
    many = {b"%d" % number: b"v" for number in range(50_000)}

    for large in ({**fields, b"d": b"x" * (3 << 20)}, fields | many):
        cut = cut_fields(large)

        assert size_of(cut) < 100_000
        assert cut == cut_fields(cut)
        assert parse_fields(cut) is None
        with pytest.raises(DecodeError, match="bytes"):
            decode_fields("job", cut)
    assert cut_fields(fields) == fields


def test_lines_come_without_newlines() -> None:
    batch = seal(GENESIS, "job", "p", 0, 1, b'{"a":1}\n{"b":2}\n')

    assert batch.lines() == [b'{"a":1}', b'{"b":2}']
    assert decode_events(batch.data) == [{"a": 1}, {"b": 2}]


def test_a_batch_with_a_damaged_line_is_a_decode_error() -> None:
    with pytest.raises(DecodeError, match="JSON Lines"):
        decode_events(b'{"a":1}\n{"b":\n')


def test_threads_do_not_share_a_compressor() -> None:
    made = [seal(GENESIS, "job", f"p{n}", 0, 0, bytes([n]) * 200_000) for n in range(8)]
    failures: list[Batch] = []

    def round_trips(batch: Batch) -> None:
        read = [decode_fields("job", as_stored(batch)) for _ in range(50)]
        failures.extend(other for other in read if other != batch)

    threads = [threading.Thread(target=round_trips, args=(batch,)) for batch in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
