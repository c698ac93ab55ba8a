"""How long whoever was refused waits before the next attempt."""

from __future__ import annotations

import random

_FIRST_SECONDS = 0.05
_MOST_DOUBLINGS = 10


def pause_after(failures: int, longest: float) -> float:
    """Return the seconds to pause after so many failures in a row: twice as many each time.

    They are spread, so that those who wait for one server do not all come at once.
    """
    seconds = min(longest, _FIRST_SECONDS * 2 ** min(failures, _MOST_DOUBLINGS))
    return random.uniform(seconds / 2, seconds)  # noqa: S311 - no secret
