"""Packed columns: arrays of 8-byte items as zstd frames.

A column's bytes are transposed first, all lowest bytes, then all second ones, and so on: what is
alike in neighbouring items then stands together. Integers that grow slowly are kept as differences.
"""

from __future__ import annotations

import threading
from array import array
from itertools import accumulate
from operator import sub
from sys import byteorder
from typing import TYPE_CHECKING, Any

import zstandard

from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

ITEM = 8

_BY_SIGNIFICANCE = range(ITEM) if byteorder == "little" else range(ITEM)[::-1]
_LARGEST_BYTES = 64 * 1024 * 1024  # a damaged frame must not fill the memory

_local = threading.local()  # zstd contexts are costly to make and must not be shared by threads


def to_bytes(column: array[Any]) -> bytes:
    """Return the items as they are, lowest byte first."""
    if byteorder == "big":  # pragma: no cover - tests run on little-endian machines
        column = column[:]
        column.byteswap()
    return column.tobytes()


def from_bytes(typecode: str, data: bytes) -> array[Any]:
    """Undo `to_bytes`."""
    column = array(typecode)
    column.frombytes(data)
    if byteorder == "big":  # pragma: no cover - as above
        column.byteswap()
    return column


def transpose(data: bytes) -> bytes:
    """Return the bytes of 8-byte items by significance."""
    return b"".join([data[i::ITEM] for i in _BY_SIGNIFICANCE])


def restore(data: bytes) -> bytes:
    """Undo `transpose`."""
    count = len(data) // ITEM
    items = bytearray(len(data))
    for place, i in enumerate(_BY_SIGNIFICANCE):
        items[i::ITEM] = data[place * count : (place + 1) * count]
    return bytes(items)


def differences(column: array[int]) -> array[int]:
    """Return the first item and then what is added from item to item; items are 0 or more."""
    items = column.tolist()
    return array("q", [*items[:1], *map(sub, items[1:], items)])


def sums(column: array[int]) -> array[int]:
    """Undo `differences`.

    Raises:
        DecodeError: these are no differences of ours.
    """
    try:
        return array("q", accumulate(column))
    except OverflowError as error:
        msg = "a packed column is damaged: its differences add up to more than 64 bits"
        raise DecodeError(msg) from error


def compress(parts: Iterable[bytes]) -> bytes:
    """Return one zstd frame of all parts."""
    try:
        compressor = _local.compressor
    except AttributeError:
        compressor = _local.compressor = zstandard.ZstdCompressor(level=1)
    return compressor.compress(b"".join(parts))  # type: ignore[no-any-return]


def decompress(frame: bytes) -> bytes:
    """Undo `compress`.

    Raises:
        DecodeError: this is no frame of ours.
    """
    try:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= _LARGEST_BYTES:
            msg = f"a packed column of {size} bytes; at most {_LARGEST_BYTES} are possible"
            raise DecodeError(msg)
        decompressor = getattr(_local, "decompressor", None)
        if decompressor is None:
            decompressor = _local.decompressor = zstandard.ZstdDecompressor()
        return decompressor.decompress(frame)
    except zstandard.ZstdError as error:
        msg = f"a packed column is damaged: {error}"
        raise DecodeError(msg) from error


def split(data: bytes, typecodes: str) -> list[array[Any]]:
    """Return columns of equal length from the transposed bytes of all of them.

    Raises:
        DecodeError: the bytes do not divide into such columns.
    """
    size, rest = divmod(len(data), len(typecodes))
    if rest or size % ITEM:
        msg = f"{len(data)} bytes are not {len(typecodes)} columns"
        raise DecodeError(msg)
    columns = []
    for place, typecode in enumerate(typecodes):
        column = array(typecode)
        column.frombytes(restore(data[place * size : (place + 1) * size]))
        columns.append(column)
    return columns
