"""What may be left out for a reader that was too slow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.api.shapes import Line

COALESCED = frozenset({"progress", "metrics"})
"""Types of which the newest event says it all."""


class Coalescer:
    """Collects events in order; of progress and metrics it keeps the newest of each step and name.

    An event of several metrics stays while it is the newest of one of them. Each producer's are
    kept apart, and so each rank's.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self.size = 0
        """Bytes of the lines that are kept."""
        self._kept: dict[int, Line] = {}
        self._added = 0
        self._newest: dict[Any, int] = {}
        self._uses: dict[int, int] = {}

    def add(self, line: Line) -> None:
        """Take the next event."""
        number = self._added
        self._added += 1
        self._kept[number] = line
        self.size += len(line.json)
        topics = list(_topics(line)) if line.type in COALESCED else []
        for topic in topics:
            before = self._newest.get(topic)
            self._newest[topic] = number
            if before is not None:
                self._release(before)
        self._uses[number] = len(topics)

    def lines(self) -> Iterator[Line]:
        """Yield what is kept, in order."""
        yield from self._kept.values()

    def _release(self, number: int) -> None:
        self._uses[number] -= 1
        if self._uses[number] == 0:
            self.size -= len(self._kept.pop(number).json)
            self.left_out += 1


def _topics(line: Line) -> Iterator[tuple[str, ...]]:
    """Yield what an event tells about; nothing for one that is not as it should be."""
    event = orjson.loads(line.json)
    step = event.get("step")
    if not isinstance(step, str | None):
        return
    about = (line.producer, line.type, "" if step is None else f"/{step}")
    if line.type == "progress":
        yield about
    elif isinstance(values := event.get("values"), dict):
        for name in values:
            yield (*about, name)
