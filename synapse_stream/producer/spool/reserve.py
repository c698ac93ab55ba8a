"""Room for a last word, taken while there is some.

When neither shared memory nor disk takes a segment any more, events go to the memory of the process
and end with it. Then the reserve says from which number on events are missing, and how the run
ended. Whoever adopts the spool sends that, unless the events were moved to a file after all; in the
process itself it is never read. Where not even the process gets memory, the reserve becomes the
segment for the last loss and the end.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Self

import orjson

from synapse_stream.events.encoding import encode, representable
from synapse_stream.producer.spool.segment import Segment

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.producer.spool.homes import Home

RESERVE = "reserve"

_BYTES = 8192
_LONGEST_ERROR = 2_000
_REASON = "there was no room but in the memory of the process, which is gone"


class Reserve:
    """A small file that is there from the start."""

    def __init__(self, home: Home, segment: Segment) -> None:
        self._home = home
        self._segment = segment
        self._path: Path | None = segment.path  # None: given away
        self.is_used = False
        """True while it says that events are missing."""

    @classmethod
    def create(cls, home: Home) -> Self | None:
        """Make the file; None when there is no room."""
        try:
            return cls(home, Segment.create(-1, home.path / RESERVE, _BYTES))
        except OSError:
            return None

    def take(self, index: int) -> Segment | None:
        """Give the file away as segment `index`, as no other can be made; None: it is in use."""
        place = self._home.segment_path(index)
        if self.is_used or self._path is None:
            return None
        try:
            self._path.rename(place)
        except OSError:
            return None
        segment, self._path = self._segment, None
        segment.index, segment.path = index, place
        segment.mapping[:_BYTES] = bytes(_BYTES)
        return segment

    def write(self, number: int, end: bytes | None = None) -> None:
        """Say that events from `number` on are missing, and how the run ended, if it has."""
        if self._path is None:
            return
        fields = {"counts": {}, "uncounted": True, "reason": _REASON}
        (body,) = encode("loss", None, {"first": None, "last": None, **fields})
        lines = _line(number, body)
        if end is not None:
            lines += _line(number + 1, b'"count":%d,%b' % (number + 2, shortened(end)))
        self._segment.mapping[:_BYTES] = lines.ljust(_BYTES, b"\0")
        self.is_used = True

    def clear(self) -> None:
        """Say nothing: nothing is missing any more."""
        if self.is_used:
            self._segment.mapping[:_BYTES] = bytes(_BYTES)
            self.is_used = False

    def withdraw(self) -> None:
        """Delete the file: nothing is missing any more. Where it cannot be, it says nothing."""
        self.clear()  # a disk that is away may come back
        path, self._path = self._path, None
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()


def _line(number: int, body: bytes) -> bytes:
    return b'{"seq":%d,"time":%d,%b\n' % (number, representable(time.time_ns() // 1000), body)


def shortened(body: bytes) -> bytes:
    """Return the body of an `end` event without what may be long: a reserve has room for it."""
    if len(body) < _BYTES // 2:
        return body
    event: dict[str, Any] = orjson.loads(b"{" + body)
    error = event.get("error")
    event |= {"result": None, "error": error[:_LONGEST_ERROR] if isinstance(error, str) else None}
    event.pop("children", None)
    return orjson.dumps(event)[1:]
