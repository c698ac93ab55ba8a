"""How long small batches wait for company, by how quickly the server answers.

While it answers quickly nothing waits. One that is slow to answer small batches has more commands
than it can run: it is sent fewer and larger ones, as Nagle's algorithm (RFC 896) does for packets.
"""

from __future__ import annotations

from collections import deque

LONGEST_WAIT_SECONDS = 0.25
SMALL_BYTES = 64 * 1024
"""A batch of fewer takes no time worth naming; what waits as one of more need not wait longer."""

_QUICK_SECONDS = 0.01  # an interpreter that computes takes half of it by itself to let us look
_WAIT_PER_SECOND = 25.0  # longest wait from an answer in 20 ms on
_LOOKS = 8


class Pace:
    """Judges by the quickest of the last answers: one that was held up says nothing."""

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=_LOOKS)
        self.wait = 0.0
        """Seconds from one answer to the next small batch."""

    def note(self, seconds: float) -> None:
        """Note how long an answer to few bytes took."""
        self._took.append(seconds)
        if len(self._took) == _LOOKS:
            slow = min(self._took) - _QUICK_SECONDS
            self.wait = min(max(slow * _WAIT_PER_SECOND, 0.0), LONGEST_WAIT_SECONDS)
