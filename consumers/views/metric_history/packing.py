"""Packed columns: arrays of 8-byte items as zstd frames.

A column's bytes are transposed first, all lowest bytes, then all second ones, and so on: what is
alike in neighbouring items then stands together. Integers that grow slowly are kept as differences.
"""

from __future__ import annotations

import threading
from sys import byteorder
from typing import TYPE_CHECKING, Any

import numpy as np
import zstandard

from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from array import array

    from numpy.typing import NDArray

ITEM = 8
INTEGER, REAL = np.dtype("<i8"), np.dtype("<f8")

_LARGEST_BYTES = 64 * 1024 * 1024  # a damaged frame must not fill the memory

_local = threading.local()  # zstd contexts are costly to make and must not be shared by threads


def to_bytes(column: array[Any]) -> bytes:
    """Return the items as they are, lowest byte first."""
    if byteorder == "big":  # pragma: no cover - tests run on little-endian machines
        column = column[:]
        column.byteswap()
    return column.tobytes()


def transpose(columns: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the bytes of columns, given as rows, by significance: one more axis."""
    return np.ascontiguousarray(columns.view(np.uint8).reshape(*columns.shape, ITEM).swapaxes(1, 2))


def unpack(frame: bytes, columns: int) -> NDArray[np.int64]:
    """Return so many columns of a frame that holds what `transpose` gave for them.

    Raises:
        DecodeError: this is no such frame of ours.
    """
    data = decompress(frame)
    size, rest = divmod(len(data), columns * ITEM)
    if rest:
        msg = f"{len(data)} bytes are not {columns} columns"
        raise DecodeError(msg)
    by_significance = np.frombuffer(data, np.uint8).reshape(columns, ITEM, size)
    return np.ascontiguousarray(by_significance.swapaxes(1, 2)).view(INTEGER)[..., 0]


def differences(columns: NDArray[np.int64], begins: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return what is added from item to item of columns, given as rows; items are 0 or more.

    They begin anew with the items at `begins`, which stay as they are.
    """
    found = np.diff(columns, prepend=0)
    found[:, begins] = columns[:, begins]
    return found


def sums(column: NDArray[np.int64]) -> NDArray[np.int64]:
    """Undo `differences` for the items from one beginning to the next.

    Raises:
        DecodeError: these are no differences of ours.
    """
    items = np.cumsum(column)
    if (items < 0).any():
        msg = "a packed column is damaged: its differences do not add up to items of 0 or more"
        raise DecodeError(msg)
    return items


def decompress(frame: bytes) -> bytes:
    """Unpack one zstd frame of a column or a body.

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
        return decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        msg = f"a packed column is damaged: {error}"
        raise DecodeError(msg) from error
