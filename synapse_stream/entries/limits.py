"""What an entry of a stream may hold, and how it is packed: whoever wrote it, it is judged first.

Anybody who may write to a stream may write anything there. So an entry is judged by its own numbers
before anything of it is unpacked, by every reader of a stream, of the archive or of an export.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from collections.abc import Mapping

_FRAME = b"\x28\xb5\x2f\xfd"  # what a zstd frame begins with
_MOST_FIELDS = 16
_LARGEST_WINDOW_BYTES = 8 * 1024 * 1024  # what unpacking a frame without a size may set aside
_PIECE_BYTES = 64  # of a frame: at most 16 of its blocks, of 128 KiB each
_KEPT_OF_A_WORD = 4096  # bytes, of an entry that is too large to be kept whole

LARGEST_DATA_BYTES = 2 * 1024 * 1024
"""Most that the lines of a batch may hold: a shipper sends 1 MiB, or one event more."""
MOST_LINES = 65_536
"""Most lines of a batch, which also has no more than it has numbers: 1 MiB of events has fewer."""
LARGEST_SALTS_BYTES = 512 * 1024
"""Most that the salts of a batch may hold, of which a line was erased: its leaves have 21 each."""
LARGEST_ENTRY_BYTES = LARGEST_DATA_BYTES + LARGEST_SALTS_BYTES + 4096
"""Most that the fields of an entry may hold; of a larger one only the beginnings are read."""
CUTTING = (LARGEST_ENTRY_BYTES, _MOST_FIELDS, _KEPT_OF_A_WORD)
"""How entries are cut, for who does it elsewhere: largest, most fields, bytes kept of a word."""
CUT = b"cut"
"""Field of an entry that was cut when it was read: how many bytes it has."""

_local = threading.local()
"""zstd contexts are costly to make and must not be shared between threads."""


def cut_fields(fields: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Return the fields of an entry; of one that is too large the beginnings, and `CUT`."""
    size = size_of(fields)
    if size <= LARGEST_ENTRY_BYTES and len(fields) <= _MOST_FIELDS:
        return fields
    some = list(fields.items())[: _MOST_FIELDS - 1]
    kept = {name[:_KEPT_OF_A_WORD]: value[:_KEPT_OF_A_WORD] for name, value in some}
    return {**kept, CUT: b"%d" % size}


def size_of(fields: Mapping[bytes, bytes]) -> int:
    """Return how many bytes the fields of an entry hold."""
    return sum(map(len, fields)) + sum(map(len, fields.values()))


def check_size(fields: Mapping[bytes, bytes]) -> None:
    """Raise ValueError for an entry that is too large, or was cut because it is."""
    if CUT in fields:
        size_there = fields[CUT][:20].decode(errors="replace")
        msg = f"it has {size_there} bytes, or more fields than a batch"
        raise ValueError(msg)
    size = size_of(fields)
    if size > LARGEST_ENTRY_BYTES:
        msg = f"it has {size} bytes; at most {LARGEST_ENTRY_BYTES} are allowed"
        raise ValueError(msg)


def check_lines(data: bytes, numbers: int) -> None:
    """Raise ValueError for a batch with more lines than it has numbers, or than any has."""
    lines = data.count(b"\n") + (data[-1:] not in {b"", b"\n"})
    if lines > MOST_LINES:
        msg = f"it has {lines} lines; at most {MOST_LINES} are allowed"
        raise ValueError(msg)
    if lines > max(numbers, 0):
        msg = f"it has {lines} lines, but only {max(numbers, 0)} numbers"
        raise ValueError(msg)


def compress(data: bytes) -> bytes:
    """Return one zstd frame that says how large it is unpacked."""
    try:
        compressor = _local.compressor
    except AttributeError:
        compressor = _local.compressor = zstandard.ZstdCompressor(level=1)
    return compressor.compress(data)  # type: ignore[no-any-return]


def declared_bytes(frame: bytes) -> int | None:
    """Return how large a zstd frame says that it is unpacked; -1 for none, None if it is silent."""
    if not frame.startswith(_FRAME):
        return -1
    try:
        size = int(zstandard.frame_content_size(frame))
    except zstandard.ZstdError:
        return -1
    return None if size < 0 else size


def decompress(frame: bytes, most: int = LARGEST_DATA_BYTES) -> bytes:
    """Unpack one zstd frame, which must be all there is.

    Args:
        frame: all of it.
        most: how many bytes it may have unpacked.

    Raises:
        ValueError: it is no frame, or larger.
        ZstdError: it is damaged, larger than it says, or not all there is.
    """
    size = declared_bytes(frame)
    if size is not None and not 0 <= size <= most:
        msg = f"a zstd frame of {size} bytes; at most {most} are allowed"
        raise ValueError(msg)
    try:
        decompressor = _local.decompressor
    except AttributeError:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW_BYTES)
        _local.decompressor = decompressor
    if size is None:  # `allow_extra_data` does not see what is behind such a frame
        return _measured(decompressor.decompressobj(), frame, most)
    return decompressor.decompress(frame, allow_extra_data=False)  # type: ignore[no-any-return]


def _measured(frames: Any, frame: bytes, most: int) -> bytes:
    """Unpack a frame that does not say how large it is, in pieces that cannot become large."""
    parts: list[bytes] = []
    size = begin = 0
    while not frames.eof:
        if begin >= len(frame) or size > most:
            msg = f"a zstd frame that is not whole, or has more than {most} bytes"
            raise ValueError(msg)
        parts.append(frames.decompress(frame[begin : begin + _PIECE_BYTES]))
        begin += _PIECE_BYTES
        size += len(parts[-1])
    if frames.unused_data or begin < len(frame):
        msg = "there is unused data behind a zstd frame"
        raise ValueError(msg)
    if size > most:
        msg = f"a zstd frame of {size} bytes; at most {most} are allowed"
        raise ValueError(msg)
    return b"".join(parts)
