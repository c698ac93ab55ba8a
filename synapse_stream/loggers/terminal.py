"""What draws a run, and plain lines, which need nothing."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synapse_stream.saying.outlet import Outlet

_TENTHS = 10


class Display(ABC):
    """Draws lines and progress; what it gets holds no control characters."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet

    @abstractmethod
    def line(self, text: str, style: str) -> None:
        """Write a line."""

    @abstractmethod
    def progress(self, step: str, current: float, total: float) -> str | None:
        """Draw progress; what is to be said in a line is returned."""

    @abstractmethod
    def fail(self, step: str) -> None:
        """Draw the step as failed, where it stands."""

    def close(self) -> None:  # noqa: B027 - lines need nothing
        """Leave the terminal as it is."""

    def in_child(self) -> Display:
        """Return what a forked child draws with."""
        return LineDisplay(self.outlet)


class LineDisplay(Display):
    """Says progress each tenth of the way."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__(outlet)
        self._steps: dict[str, tuple[int, float]] = {}  # tenths said, time of the first report

    def line(self, text: str, style: str) -> None:  # noqa: ARG002 - lines are plain
        """Write a line."""
        self.outlet.write(f"{text}\n")

    def progress(self, step: str, current: float, total: float) -> str | None:
        """Return a line when another tenth is done, or when the step begins again."""
        tenths = int(_TENTHS * (current / total))
        said, since = self._steps.get(step, (-1, time.monotonic()))
        if tenths < said:
            since = time.monotonic()
        self._steps[step] = tenths, since
        if tenths == said:
            return None
        elapsed = time.monotonic() - since
        is_under_way = 0 < current < total and elapsed > 0
        left = _left(elapsed, current, total) if is_under_way else ""
        return f"{step} {count(current, total)} ({current / total:.0%}{left})"

    def fail(self, step: str) -> None:
        """Forget the step: what follows is a new beginning."""
        self._steps.pop(step, None)


def count(current: float, total: float) -> str:
    """Return both numbers in short."""
    return f"{current:.10g}/{total:.10g}"


def _left(elapsed: float, current: float, total: float) -> str:
    try:
        return f", {timedelta(seconds=round(elapsed / current * (total - current)))} left"
    except (OverflowError, ValueError):
        return ""
