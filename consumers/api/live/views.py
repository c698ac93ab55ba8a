"""What views of other packages have of watched jobs, for the clients that ask for it.

It is read from the store, as it was committed: no rule of another package runs in this process.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import orjson

from consumers.api import shapes
from consumers.api.live import frames
from synapse_stream.entries.position import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import ViewState

_AGAIN_SECONDS = 5.0
"""After which it is read again though nothing was reported: it may have been folded anew."""


class Shown(NamedTuple):
    """One view of one job, encoded."""

    times: int
    """How often there was another one before."""
    position: Position
    frame: bytes


class ShownViews:
    """The views of one job that somebody follows. Belongs to the event loop."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._shown: dict[str, Shown] = {}
        self._read_at = 0.0

    @contextmanager
    def following(self, names: Sequence[str]) -> Iterator[None]:
        """Have these views be read meanwhile."""
        self._asked.update(names)
        self._read_at = 0.0
        try:
            yield
        finally:
            self._asked.subtract(names)
            self._asked += Counter()  # those that nobody follows go
            for name in [name for name in self._shown if name not in self._asked]:
                del self._shown[name]

    def due(self, newest: Position) -> list[str]:
        """Return the views that may have something new, given the newest event of the job."""
        if time.monotonic() >= self._read_at + _AGAIN_SECONDS:
            self._read_at = time.monotonic()
            return list(self._asked)
        return [name for name in self._asked if self._position(name) < newest]

    def take(self, found: ViewState) -> bool:
        """Take what was read; return whether it is another one than before."""
        before = self._shown.get(found.view)
        frame = frames.view(orjson.dumps(shapes.view_state(found)))
        if found.view not in self._asked or (before and before.frame == frame):
            return False
        times = 0 if before is None else before.times + 1
        self._shown[found.view] = Shown(times, found.position, frame)
        return True

    def news(self, seen: Mapping[str, int]) -> list[tuple[str, Shown]]:
        """Return what a client lacks that has seen so many of each view."""
        shown = ((name, self._shown.get(name)) for name in seen)
        return [(name, one) for name, one in shown if one is not None and one.times != seen[name]]

    def _position(self, name: str) -> Position:
        shown = self._shown.get(name)
        return BEGINNING if shown is None else shown.position
