"""Protocol buffers, as far as they are needed: the fields of a message by number. Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MOST_BITS = 64
_SIGN = 1 << 63


def fields_of(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value: an int, the bytes of a fixed number, or those of what is inside.

    Raises:
        ValueError: it is no message.
    """
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = varint(data, at)
        elif kind in {_FIXED_64, _FIXED_32}:
            size = 8 if kind == _FIXED_64 else 4
        else:
            msg = f"a field of kind {kind} at byte {at}"
            raise ValueError(msg)
        if at + size > len(data):
            msg = f"a field of {size} bytes at byte {at} of {len(data)}"
            raise ValueError(msg)
        yield key >> 3, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of a variable length at `at`, and where it ends.

    Raises:
        ValueError: there is none.
    """
    value = shift = 0
    while at < len(data) and shift < _MOST_BITS:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return value, at
    msg = f"a number at byte {at} that has no end"
    raise ValueError(msg)


def varints(data: bytes) -> Iterator[int]:
    """Yield packed numbers."""
    at = 0
    while at < len(data):
        value, at = varint(data, at)
        yield value


def signed(value: int) -> int:
    """Return a number of 64 bits with its sign."""
    return value - (1 << 64) if value >= _SIGN else value


def double(data: bytes) -> float:
    """Return the number that 8 bytes are."""
    (value,) = struct.unpack("<d", data)
    return float(value)


def single(data: bytes) -> float:
    """Return the number that 4 bytes are."""
    (value,) = struct.unpack("<f", data)
    return float(value)
