"""What a view of one job is while events are folded into it: the port that views come through.

Ours and those of other packages alike: pure rules, no clock, no I/O, no logging.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

GROUP = "synapse_stream.views"
"""The entry points by which packages name their views: name → class."""


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

    A package's view is a class with `name`, `version`, `begin` and `apply`, named by an entry point
    of the group `synapse_stream.views`. An event at which its `apply` raises is parked: it changes
    nothing, and the others go on. Between two events it keeps nothing but `state`. What is to be
    listed rather than held in the state it appends to `rows`, as instances of its `row`.
    """

    name: ClassVar[str]
    """Lower-case words joined by hyphens: that of the entry point."""
    version: ClassVar[int]
    """Raised when the same events give another state or other rows: jobs are folded anew then."""
    row: ClassVar[type[tuple[Any, ...]] | None] = None
    """A NamedTuple whose fields are the columns of the view's table: `str`, `int`, `float` or
    `bool`, each also `| None`."""
    is_public: ClassVar[bool] = False
    """True when viewers may see it, too; otherwise it is for developers."""
    by_position: ClassVar[frozenset[str]] = frozenset()
    """Keys in its state of what depends on where entries stand, and on their order among ranks."""

    def __init__(self, job_id: str, state: dict[str, Any] | None = None) -> None:
        """Go on from `state`, which becomes this view's own, or begin a new job."""
        self.job_id = job_id
        self.state = self.begin() if state is None else state
        self.rows: list[Any] = []

    @abstractmethod
    def begin(self) -> dict[str, Any]:
        """Return the state of a job of which nothing is known."""

    @abstractmethod
    def apply(self, delivery: Delivery) -> None:
        """Fold the events in order."""

    def take_rows(self) -> Any:
        """Return the rows that came since the last call; None of a view that has no table."""
        return None
