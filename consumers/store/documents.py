"""Documents as they are stored: of a large one what has changed, and now and then all of it.

A document of no more than LARGE bytes is stored as it is. A larger one is a zstd frame, its *base*,
and beside it, in the table `change`, what it has become: a zstd frame that has the base as its
dictionary. So a commit writes about what it has changed. When that is much, at once or over the
commits since, there is a new base: else what has come since would be written with each of them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import zstandard

from synapse_stream.entries.limits import declared_bytes, decompress

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGE = 64 * 1024
LARGEST_BYTES = 128 * 1024 * 1024
"""Most that a frame may hold: what says that it has more is no document of ours."""

_MOST_CHANGED = 128 * 1024
_MOST_SPENT = 4  # bases in changes, until a new base costs less than to go on
_BYTES_KEPT = 64 * 1024 * 1024
_MAGIC = b"\x28\xb5\x2f\xfd"
_WINDOWS = range(10, 28)
_HASHES = range(16, 23)


class Stored(NamedTuple):
    """What is to be written of a document: all of it, or what has changed since."""

    document: bytes | None
    change: bytes | None


class _Base:
    """A document that was written whole."""

    def __init__(self, document: bytes, stored: int) -> None:
        self.no: int | None = None
        self._left = _MOST_SPENT * stored
        self._content = _as_dictionary(document)
        self._parameters = _parameters(2 * len(document))
        self.size = 2 * len(document) + (4 << self._parameters.hash_log)
        """About what it takes in memory."""
        self._content.precompute_compress(compression_params=self._parameters)

    def change(self, document: bytes) -> bytes | None:
        """Return what has changed; None when that is so much that a new base is better."""
        compressor = zstandard.ZstdCompressor(
            dict_data=self._content, compression_params=self._parameters
        )
        changed = bytes(compressor.compress(document))
        self._left -= len(changed)
        return changed if len(changed) <= _MOST_CHANGED and self._left > 0 else None


class Bases:
    """The bases that one consumer has written of the large documents of a partition."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], _Base] = OrderedDict()

    def plan(self, projection: str, job_id: str, document: bytes) -> Stored:
        """Return what is to be written; it counts as written from then on."""
        place = projection, job_id
        base = self._kept.get(place)
        if len(document) <= LARGE:
            self._kept.pop(place, None)
            return Stored(document, None)
        if base is not None and base.no is not None:
            changed = base.change(document)
            if changed is not None:
                self._kept.move_to_end(place)
                return Stored(None, changed)
        frame = framed(document)
        self._kept[place] = _Base(document, len(frame))
        self._kept.move_to_end(place)
        while len(self._kept) > 1 and sum(base.size for base in self._kept.values()) > _BYTES_KEPT:
            self._kept.popitem(last=False)
        return Stored(frame, None)

    def number(self, projection: str, job_id: str) -> int:
        """Return the number of a job of which a change is to be written."""
        no = self._kept[projection, job_id].no
        assert no is not None  # noqa: S101 - `plan` has seen to it
        return no

    def note(self, projection: str, numbers: Mapping[str, int]) -> None:
        """Take the numbers of jobs whose documents were written whole."""
        for job_id, no in numbers.items():
            if (projection, job_id) in self._kept:
                self._kept[projection, job_id].no = no


def framed(document: bytes) -> bytes:
    """Return a document as it is stored, all of it."""
    if len(document) <= LARGE:
        return document
    compressor = zstandard.ZstdCompressor(compression_params=_parameters(len(document)))
    return bytes(compressor.compress(document))


def is_framed(stored: bytes) -> bool:
    """Tell whether a document is stored as a frame, which may have a change beside it."""
    return stored.startswith(_MAGIC)


def whole(stored: Any, change: Any) -> bytes:
    """Return a document from what is stored of it; what is damaged is no JSON."""
    frame = _as_bytes(stored)
    if not is_framed(frame):
        return frame
    try:
        base = decompress(frame, LARGEST_BYTES)
        if change is None:
            return base
        changed = _as_bytes(change)
        size = declared_bytes(changed)
        if size is None or not 0 <= size <= LARGEST_BYTES:
            return frame
        decompressor = zstandard.ZstdDecompressor(
            dict_data=_as_dictionary(base), max_window_size=1 << _WINDOWS[-1]
        )
        document: bytes = decompressor.decompress(changed, allow_extra_data=False)
    except (ValueError, MemoryError, zstandard.ZstdError):
        return frame
    return document


def _as_bytes(value: Any) -> bytes:
    """Return bytes; of a number or a text, which a SQLite file may hold, what is no document."""
    return value if isinstance(value, bytes) else str(value).encode()


def _as_dictionary(content: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _parameters(size: int) -> zstandard.ZstdCompressionParameters:
    """Return what finds anything again in so many bytes, quickly."""
    bits = size.bit_length()
    return zstandard.ZstdCompressionParameters.from_level(
        1,
        window_log=min(max(bits, _WINDOWS[0]), _WINDOWS[-1]),
        hash_log=min(max(bits - 2, _HASHES[0]), _HASHES[-1]),
        write_checksum=1,
    )
