"""Whether a run has ended, by the events of it that can say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.events.types import End, ProducerLost, Resumed, RunStarted
from synapse_stream.models import RunStatus

if TYPE_CHECKING:
    from synapse_stream.events.types import Event


def is_over(event: Event, before: bool | None) -> bool | None:  # noqa: FBT001 - a state, no flag
    """Return whether the run has ended once an event has come; else what was known before."""
    match event:
        case RunStarted(rank=0) | Resumed(rank=0):
            return False
        case ProducerLost(rank=0) | End(rank=0, status=RunStatus()):
            return True
    return before
