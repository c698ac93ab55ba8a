"""Made-up lines of made-up streams."""

from __future__ import annotations

from typing import Any

import orjson

from consumers.api.live.frames import Frame, frame
from consumers.api.shapes import Line
from synapse_stream.entries.position import Position


def line(position: Position, event: dict[str, Any]) -> Line:
    """Make a line."""
    return Line(position, "producer", event["type"], orjson.dumps(event))


def one_frame(first: int, entries: int, kinds: tuple[str, ...] = ("message",)) -> Frame:
    """Encode so many entries, from that of `first` ms on, with one event of each kind."""
    made = []
    for ms in range(first, first + entries):
        lines = [line(Position(ms, 0, i), {"type": kind}) for i, kind in enumerate(kinds)]
        made.append((lines[-1].position, lines))
    return frame(made, lambda _: (1, 0))


def places(data: bytes) -> list[str]:
    """Return the positions of the events in some bytes of a stream."""
    return [part.partition(b"\n")[0].decode() for part in data.split(b"id: ")[1:]]
