"""Records of TensorFlow's format: length, its checksum, data, their checksum. Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from synapse_stream.integrations.files.source import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD, _TAIL = 12, 4
_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_ALL = 0xFFFFFFFF
_LARGEST_CHECKED = 1024 * 1024  # above that, checking takes long and only pictures are that large


def _table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """Return the masked CRC-32C of `data`."""
    crc = _ALL
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= _ALL
    return ((crc >> 15 | crc << 17) + _MASK) & _ALL


def records(data: bytes) -> Iterator[bytes | Trouble]:
    """Yield what the records hold; where one is damaged, what is readable behind it goes on."""
    at = 0
    while at < len(data):
        size = _size_at(data, at)
        if size is None:
            begin, at = at, _next(data, at + 1)
            yield Trouble(f"bytes {begin} to {at} are no record")
            continue
        end = at + _HEAD + size + _TAIL
        if end > len(data):
            yield Trouble(f"the last record is cut at byte {len(data)}: it should end at {end}")
            return
        held = data[at + _HEAD : end - _TAIL]
        if size <= _LARGEST_CHECKED and masked_crc(held) != _number(data, end - _TAIL):
            yield Trouble(f"the record at byte {at} does not fit its checksum")
        else:
            yield held
        at = end


def _size_at(data: bytes, at: int) -> int | None:
    """Return the length of a record that begins there; None if none does."""
    head = data[at : at + 8]
    if at + _HEAD > len(data) or masked_crc(head) != _number(data, at + 8):
        return None
    (size,) = struct.unpack("<Q", head)
    return int(size)


def _next(data: bytes, at: int) -> int:
    while at < len(data):
        size = _size_at(data, at)
        if size is not None and at + _HEAD + size + _TAIL <= len(data):
            return at
        at += 1
    return at


def _number(data: bytes, at: int) -> int:
    (value,) = struct.unpack_from("<I", data, at)
    return int(value)
