"""What a view of one job is while events are folded into it: the port that views come through.

Ours and those of other packages alike: pure rules, no clock, no I/O, no logging.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Delivery:
    """Consecutive events of one producer that were not folded before, from one stream entry."""

    ms: int
    """With `seq` the id of the stream entry; `ms` is the server's clock."""
    seq: int
    producer: str
    rank: int
    """The producer's rank; a child process, which has none of its own, counts as rank 0."""
    attempt: int
    start: int
    """Index in the entry of `events[0]`; event i stands at index `start` + i."""
    events: list[dict[str, Any]]
    """Decoded lines; `$float` and `$int` tags and the names of non-finite metrics still in."""
    number: int = 0
    """Number of `events[0]` among those of its producer."""
    is_child: bool = False
    """True when the producer has no rank of its own."""
    is_foreign: bool = False
    """True when the producer's process goes on under another name: these are not its own events."""
    is_late: bool = False
    """True for an event that was parked and is tried again: newer ones were folded before it."""


class JobView(ABC):
    """A view of one job while events are folded into it.

    What it knows of the job is `state`, a JSON object; rows are what is added to its table. Both
    depend on the events only, not on how they were cut into batches; positions and server times of
    the entries aside, which are facts of the batches.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised when the same events give another state or other rows: jobs are folded anew then."""
    by_position: ClassVar[frozenset[str]] = frozenset()
    """Keys in its state of what depends on where entries stand, and on their order among ranks."""

    def __init__(self, job_id: str, state: dict[str, Any] | None) -> None:
        """Go on from `state`, which becomes this view's own, or begin a new job."""
        self.job_id = job_id
        self.state = self.begin() if state is None else state

    @abstractmethod
    def begin(self) -> dict[str, Any]:
        """Return the state of a job of which nothing is known."""

    @abstractmethod
    def apply(self, delivery: Delivery) -> None:
        """Fold the events in order."""

    def take_rows(self) -> Any:
        """Return the rows that came since the last call; None of a view that has no table."""
        return None
