"""Server-sent events as bytes: made once, whoever gets them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import orjson

from consumers.api import shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from consumers.api.shapes import Line
    from synapse_stream.entries.position import Position

    Whose = Callable[[str], tuple[int, int]]
    """Returns attempt and rank that events of a producer belong to."""
    from synapse_stream.log.server_clock import Away

RETRY = b"retry: 1000\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def pulse(away: Away | None, now_ms: int) -> bytes:
    """Keep the connection open, and tell if the server that runs report to is or was away."""
    if away is None:
        return KEEP_ALIVE
    said = orjson.dumps({"away": shapes.away(away), "now_ms": now_ms})
    return KEEP_ALIVE + b"event: server\ndata: %b\n\n" % said


def event(line: Line, home: tuple[int, int]) -> bytes:
    """Return one recorded event: its producer's own bytes in an envelope.

    `home` are the attempt and the rank that it belongs to, which the line does not say.
    A carriage return, which JSON allows between its tokens, would end the line of the frame.
    """
    place = str(line.position).encode()
    own = line.json.replace(b"\r", b" ") if b"\r" in line.json else line.json
    who = b'"producer":%b,"attempt":%d,"rank":%d' % (orjson.dumps(line.producer), *home)
    return b'id: %b\nevent: event\ndata: {"position":"%b",%b,"event":%b}\n\n' % (
        place,
        place,
        who,
        own,
    )


def snapshot(position: Position, job: bytes) -> bytes:
    """Return the frame that all else follows."""
    return b"id: %b\nevent: snapshot\ndata: %b\n\n" % (str(position).encode(), job)


def state(job: bytes) -> bytes:
    """Return a run state that has changed."""
    return b"event: state\ndata: %b\n\n" % job


def view(found: bytes) -> bytes:
    """Return what a view of another package has of the job."""
    return b"event: view\ndata: %b\n\n" % found


def reset(reason: str) -> bytes:
    """Tell that what the reader has is of another stream; a snapshot follows."""
    return b"event: reset\ndata: %b\n\n" % orjson.dumps({"reason": reason})


def coalesced(left_out: int, until: Position) -> bytes:
    """Tell how many events were left out for a reader that was too slow."""
    said = orjson.dumps({"events": left_out, "until": str(until)})
    return b"event: coalesced\ndata: %b\n\n" % said


def source(number: int) -> bytes:
    """Tell whose the next frames are, where several streams come as one."""
    return b"event: from\ndata: %d\n\n" % number


def refused(status: int, detail: str) -> bytes:
    """Tell that one of several streams cannot be had, now at least."""
    return b"event: refused\ndata: %b\n\n" % orjson.dumps({"status": status, "detail": detail})


def job(summary: bytes) -> bytes:
    """Return one job of the list, as it is now."""
    return b"event: job\ndata: %b\n\n" % summary


def restart(reason: str, position: Position, job: bytes, seen: bytes | None = None) -> Frame:
    """Return the frame that tells readers to forget what they have; `seen` is for viewers."""
    data = reset(reason) + snapshot(position, job)
    hidden = [] if seen is None else [slice(0, len(data))]
    instead = {} if seen is None else {0: reset(reason) + snapshot(position, seen)}
    return Frame(data, [position], [len(data)], hidden, instead, begins_anew=True)


class Frame:
    """Consecutive events of a job, encoded: one object for all who get it."""

    __slots__ = ("_ends", "_for_viewers", "_hidden", "_instead", "_lasts", "begins_anew", "data")

    def __init__(
        self,
        data: bytes,
        lasts: Sequence[Position],
        ends: Sequence[int],
        hidden: Sequence[slice] = (),
        instead: Mapping[int, bytes] | None = None,
        *,
        begins_anew: bool = False,
    ) -> None:
        """Hold `data`: bytes whose stream entries end with the events `lasts` and at `ends`.

        `hidden` are the parts that only developers get, and `instead` what viewers get in the
        place of some, by where they begin. A frame that begins anew is a `reset` and
        a snapshot: positions before it say nothing about those behind it.
        """
        self.data = data
        self.begins_anew = begins_anew
        self._lasts = lasts
        self._ends = ends
        self._hidden = hidden
        self._instead = instead or {}
        self._for_viewers: bytes | None = None

    @property
    def last(self) -> Position:
        """The last event in it."""
        return self._lasts[-1]

    def is_last_of_entry(self, position: Position) -> bool:
        """Tell whether `position` is the last event of a stream entry in it."""
        place = bisect_right(self._lasts, position)
        return place > 0 and self._lasts[place - 1] == position

    def after(self, position: Position | None, *, for_developers: bool) -> bytes:
        """Return the entries behind `position`, the last event of one; None means all."""
        place = 0 if position is None else bisect_right(self._lasts, position)
        start = self._ends[place - 1] if place else 0
        if for_developers or not self._hidden:
            return self.data[start:] if start else self.data
        if start:
            return self._shown(start)
        if self._for_viewers is None:
            self._for_viewers = self._shown(0)
        return self._for_viewers

    def _shown(self, start: int) -> bytes:
        parts = []
        for hidden in self._hidden:
            parts.append(self.data[start : max(start, hidden.start)])
            if start <= hidden.start:
                parts.append(self._instead.get(hidden.start, b""))
            start = max(start, hidden.stop)
        return b"".join([*parts, self.data[start:]])


def frame(entries: Iterable[tuple[Position, Sequence[Line]]], whose: Whose) -> Frame:
    """Encode events, entry by entry, each with the position of its last event."""
    parts: list[bytes] = []
    lasts: list[Position] = []
    ends: list[int] = []
    hidden: list[slice] = []
    instead: dict[int, bytes] = {}
    end = 0
    for last, lines in entries:
        for line in lines:
            home = whose(line.producer)
            encoded = event(line, home)
            parts.append(encoded)
            begin, end = end, end + len(encoded)
            if (seen := line.for_viewers) is not line:
                hidden.append(slice(begin, end))
                if seen is not None:
                    instead[begin] = event(seen, home)
        lasts.append(last)
        ends.append(end)
    return Frame(b"".join(parts), lasts, ends, hidden, instead)
