r"""A block: consecutive entries of a job's stream, exactly as they were received.

    body = head length (4 bytes, little endian) ‖ head ‖ hashes ‖ salts ‖ payloads

The head is a JSON object of columns, one value an entry: `ms` and `seq` (as differences to the
entry before), `who` (index in `producers`), `first` and `count` (of numbers), `salts` (how many
bytes; 0 for form 2), `form` and `size` of its payload. `hashed` lists the entries whose chain hash
(32 bytes) is among the hashes; the salts of every batch are among the salts.

    form 0   the lines, as field `d` held them
    form 1   a zstd frame of them, as field `z` held it
    form 2   an entry that is no batch as the append script writes them: all its fields, in order,
             each name and value behind its length (4 bytes, little endian)

A *loose* block is what one commit received: nothing is unpacked, every hash is kept. A *packed* one
holds the lines (forms 0 and 2) of many, and as a whole is one zstd frame. There a hash is left out
where it equals the one that follows from the batch before; the first and the last batch of each
producer in the block keep theirs, so a block can be read by itself, and shows where it was changed.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import zstandard

from consumers.views.archive.head import OTHER, ZSTD, payloads_of, read_head, write_head
from synapse_stream.entries.batch import (
    Parts,
    RawEntry,
    chain,
    parse_fields,
    unpack,
    written_fields,
)
from synapse_stream.entries.leaves import have_lines, root_of
from synapse_stream.entries.limits import decompress
from synapse_stream.entries.tree import joined
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PACKED_BYTES = 1024 * 1024
"""Size of the lines at which a packed block is full."""

LARGEST_STORED_BYTES = 64 * PACKED_BYTES
"""No body is larger: a commit takes some 8 MiB of entries, and there are head and hashes."""

_MOST_ENTRIES = 65_536
_LARGEST_PACKED_BYTES = 16 * PACKED_BYTES  # lines, one batch more, and head and hashes of all
_HASH_BYTES = 32
_LEVEL = 3


class Block(NamedTuple):
    """One row of the archive."""

    first: tuple[int, int]
    """Id of its first entry; ids grow within a block."""
    last: tuple[int, int]
    entries: int
    size: int
    """Of the body, before it is compressed as a whole."""
    is_loose: bool
    digest: bytes
    """SHA-256 of `body`."""
    body: bytes


def loose_blocks(entries: Sequence[RawEntry], parts: Sequence[Parts | None]) -> Iterator[Block]:
    """Yield blocks of entries as they were received; a new one where ids go back.

    Args:
        entries: what was received.
        parts: of each of them, as `parse_fields` returns them.
    """
    backward = [i for i, (one, two) in enumerate(pairwise(entries), 1) if two[:2] <= one[:2]]
    for begin, end in pairwise([0, *backward, len(entries)] if entries else []):
        yield _block(entries[begin:end], parts[begin:end], is_loose=True)


def packed_blocks(job_id: str, entries: Iterator[RawEntry]) -> Iterator[Block]:
    """Yield blocks of about PACKED_BYTES of lines; a new one where ids go back, too."""
    some: list[RawEntry] = []
    parts: list[Parts | None] = []
    size = 0
    for entry in entries:
        is_full = size >= PACKED_BYTES or len(some) == _MOST_ENTRIES
        if some and (is_full or entry[:2] <= some[-1][:2]):
            yield _block(some, parts, is_loose=False, job_id=job_id)
            some, parts, size = [], [], 0
        part = parse_fields(unpack(job_id, entry).fields)
        if part and (part.is_compressed or not have_lines(part.salts, part.payload)):
            part = None  # it is no batch, so it is kept with all its fields
        some.append(entry)
        parts.append(part)
        size += len(part.payload) if part else sum(map(len, entry.fields.values()))
    if some:
        yield _block(some, parts, is_loose=False, job_id=job_id)


def read_block(job_id: str, body: bytes, digest: bytes, *, is_loose: bool) -> list[RawEntry]:
    """Return the entries of a block; the payloads of packed ones are not compressed.

    Raises:
        DecodeError: the body is not what was written.
    """
    if sha256(body).digest() != digest:
        msg = f"a block of the archive of job {job_id!r} was changed: its digest differs"
        raise DecodeError(msg)
    try:
        plain = body if is_loose else decompress(body, _LARGEST_PACKED_BYTES)
        return list(_read(job_id, plain, is_loose=is_loose))
    except (AttributeError, LookupError, TypeError, ValueError, zstandard.ZstdError) as error:
        msg = f"a block of the archive of job {job_id!r} cannot be read: {error!r}"
        raise DecodeError(msg) from error


def _block(
    entries: Sequence[RawEntry],
    parts: Sequence[Parts | None],
    *,
    is_loose: bool,
    job_id: str = "",
) -> Block:
    payloads = [
        part.payload if part else joined(entry.fields)
        for entry, part in zip(entries, parts, strict=True)
    ]
    hashed = None if is_loose else _needed_hashes(job_id, parts)
    kept = range(len(parts)) if hashed is None else hashed
    hashes = [part.hash for i in kept if (part := parts[i])]
    salts = [part.salts for part in parts if part]
    body = b"".join([_head(entries, parts, payloads, hashed), *hashes, *salts, *payloads])
    size = len(body)
    if not is_loose:
        body = zstandard.compress(body, _LEVEL)
    first, last = entries[0][:2], entries[-1][:2]
    digest = sha256(body).digest()
    return Block(first, last, len(entries), size, is_loose, digest, body)


def _head(
    entries: Sequence[RawEntry],
    parts: Sequence[Parts | None],
    payloads: Sequence[bytes],
    hashed: list[int] | None,
) -> bytes:
    producers = dict.fromkeys(part.producer for part in parts if part)
    numbers = {producer: index for index, producer in enumerate(producers)}
    columns = (
        [entry.ms for entry in entries],
        [entry.seq for entry in entries],
        [numbers[part.producer] if part else -1 for part in parts],
        [part.first if part else 0 for part in parts],
        [part.last - part.first + 1 if part else 0 for part in parts],
        [len(part.salts) if part else 0 for part in parts],
        [int(part.is_compressed) if part else OTHER for part in parts],
        list(map(len, payloads)),
    )
    return write_head(list(producers), columns, hashed)


def _needed_hashes(job_id: str, parts: Sequence[Parts | None]) -> list[int]:
    """Return the batches whose hash does not follow, and the first and last of each producer."""
    needed: set[int] = set()
    newest: dict[bytes, int] = {}
    for index, part in enumerate(parts):
        if part is None:
            continue
        before = newest.get(part.producer)
        previous = None if before is None else parts[before]
        if previous is None or part.hash != _follow(job_id, previous.hash, part):
            needed.add(index)
        newest[part.producer] = index
    return sorted(needed.union(newest.values()))


def _follow(job_id: str, previous: bytes, part: Parts) -> bytes:
    """Return the hash of a batch that follows `previous`.

    Raises:
        ValueError: its salts are those of other lines.
    """
    root = root_of(part.salts, part.payload)
    return chain(previous, job_id, part.producer.decode(), part.first, part.last, root)


def _read(job_id: str, body: bytes, *, is_loose: bool) -> Iterator[RawEntry]:
    head = read_head(body, is_loose=is_loose)
    place = head.stop + _HASH_BYTES * len(head.hashed)
    hashes = {
        index: body[stop : stop + _HASH_BYTES]
        for index, stop in zip(head.hashed, range(head.stop, place, _HASH_BYTES), strict=True)
    }
    start = place + sum(line.salts for line in head.lines)
    newest: dict[bytes, bytes] = {}
    for index, (line, payload) in enumerate(
        zip(head.lines, payloads_of(body, head, start), strict=True)
    ):
        if line.form == OTHER:
            yield RawEntry(line.ms, line.seq, _split_fields(payload))
            continue
        producer, last = head.producers[line.who], line.first + line.count - 1
        salts, place = body[place : place + line.salts], place + line.salts
        part = Parts(producer, line.first, last, b"", salts, line.form == ZSTD, payload)
        link = hashes.get(index) or _follow(job_id, newest[producer], part)
        newest[producer] = link
        fields = written_fields(part._replace(hash=link))
        if parse_fields(fields) is None:
            msg = f"entry {index} is no batch, though its head says so"
            raise ValueError(msg)
        yield RawEntry(line.ms, line.seq, fields)


def _split_fields(payload: bytes) -> dict[bytes, bytes]:
    words: list[bytes] = []
    place = 0
    while place < len(payload):
        begin = place + 4
        place = begin + int.from_bytes(payload[place:begin], "little")
        words.append(payload[begin:place])
    fields = dict(zip(words[::2], words[1::2], strict=True))
    if joined(fields) != payload:
        msg = "an entry that is no batch has a field twice, or is cut"
        raise ValueError(msg)
    return fields
