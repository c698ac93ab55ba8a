"""How a run is by its latest sign of life, on the server's clock."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synapse_stream.models import RunStatus

SILENT_AFTER_MS = 40_000
LOST_AFTER_MS = 120_000


class Health(StrEnum):
    """What the evidence says about a run's processes."""

    ALIVE = "alive"
    SILENT = "silent"
    """No sign for 40 s; heartbeats come every 15 s."""
    LOST = "lost"
    """No sign for 2 min. Withdrawn when a sign comes."""
    ENDED = "ended"


def health(last_sign_ms: int, now_ms: int, status: RunStatus, *, is_ending: bool = False) -> Health:
    """Judge by the age of the last sign, both on the server's clock.

    One that was asked to end, and of which nothing is heard any more, has ended.
    """
    age = now_ms - last_sign_ms
    if is_ending:
        return Health.ENDED if age >= SILENT_AFTER_MS else Health.ALIVE
    if status.is_terminal:
        return Health.ENDED
    if age >= LOST_AFTER_MS:
        return Health.LOST
    return Health.SILENT if age >= SILENT_AFTER_MS else Health.ALIVE
