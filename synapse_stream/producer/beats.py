"""Signs of life of producers that have nothing to report."""

from __future__ import annotations

_GRID = 10  # idle producers beat together, ten times an interval at most


class Beats:
    """When a silent producer gives a sign of life: on a grid, so that many do it at once."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._grid = interval / _GRID
        self._next = -1
        self._due = 0.0

    def due(self, next_number: int, now: float) -> float:
        """Return the time of the next beat, after the last event was seen."""
        if next_number != self._next:
            self._next = next_number
            self._due = (now + self._interval) // self._grid * self._grid
        return self._due
