"""What the view of another package has of a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.entries.position import Position


@dataclass(frozen=True, slots=True)
class ViewState:
    """One job in one view, as it was last committed, or as it was."""

    view: str
    job_id: str
    version: int
    """Of the view's rules that made it."""
    position: Position
    """Of the last event that was folded or parked."""
    state: dict[str, Any]
    """As the view's `state` is."""
    rows: Sequence[dict[str, Any]] = field(default_factory=list)
    """A page of the view's rows, by column; none for a state of before."""
    next: int | None = None
    """To be given as `after` for the rows behind these; None when there are none."""
    parked: int = 0
    """How many events of the job the view could not fold."""
    fault: str | None = None
    """Why what is stored cannot be read, or its rows; what cannot is left empty."""
