"""How many bytes a second a producer may report, as a mean over a minute.

A bucket: what is reported fills it, and it empties at the rate that is allowed. So who is quiet may
report a minute's worth at once.
"""

from __future__ import annotations

_WINDOW_SECONDS = 60.0


class Quota:
    """A rate, and how much of it is used; 0 is no limit. Who asks brings the time."""

    def __init__(self, bytes_a_second: int) -> None:
        self.used = 0.0
        """Share of a minute's worth that is used; above 1 more was reported than is allowed."""
        self._rate = bytes_a_second
        self._filled = 0.0
        self._written = 0
        self._weighed_at = 0.0

    def weigh(self, written: int, now: float) -> None:
        """Take how many bytes were reported so far, at `now` of a clock that never goes back."""
        if not self._rate:
            return
        flown = (now - self._weighed_at) * self._rate
        self._filled = max(0.0, self._filled - flown) + written - self._written
        self._written, self._weighed_at = written, now
        self.used = self._filled / (self._rate * _WINDOW_SECONDS)
