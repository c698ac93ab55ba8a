"""What every projection is: deliveries in, a document and rows out.

The document is all that a projection must remember of a job to go on; rows are what its writer adds
to its tables. Both depend on the events only, not on how they were cut into batches; positions
and server times of the entries aside, which are facts of the batches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from consumers.folding import checks

if TYPE_CHECKING:
    from collections.abc import Sequence


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


class CannotApply(Exception):
    """The event at `index` of a delivery cannot be applied.

    Everything before it was applied, nothing of it and nothing behind it.
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


def refusal(error: Exception) -> str:
    """Return why an event is refused; for an error that no rule foresaw, with its type."""
    return str(error) if isinstance(error, checks.Unfit) else f"{type(error).__name__}: {error}"


def headers(
    events: list[dict[str, Any]],
) -> tuple[list[str], list[int], CannotApply | None]:
    """Return types and times of the events up to the first that lacks a valid one, and why."""
    try:
        kinds = [event["type"] for event in events]
        times = [event["time"] for event in events]
        if (
            set(map(type, times)) == {int}
            and min(times) >= 0
            and max(times) < checks.LATEST_TIME
            and set(map(type, kinds)) == {str}
            and all(len(kind) <= checks.LONGEST_NAME and "\0" not in kind for kind in set(kinds))
        ):
            return kinds, times, None
    except KeyError:
        pass
    kinds, times = [], []
    for index, event in enumerate(events):
        try:
            kind, time = checks.name(event, "type"), checks.time(event)
        except checks.Unfit as error:
            return kinds, times, CannotApply(index, str(error))
        kinds.append(kind)
        times.append(time)
    return kinds, times, None


class JobView(ABC):
    """Working state of one job in one projection."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised when the same events give another document or other rows: stored folds are rebuilt."""

    def __init__(self, job_id: str, document: dict[str, Any] | None) -> None:
        """Go on from `document`, which becomes this view's own, or begin a new job."""
        self.job_id = job_id
        self._document = self.begin() if document is None else document

    @abstractmethod
    def begin(self) -> dict[str, Any]:
        """Return the document of a job of which nothing is known."""

    @abstractmethod
    def apply(self, delivery: Delivery) -> None:
        """Fold the events in order.

        Raises:
            CannotApply: at the first event that is not what its type promises.
        """

    def document(self) -> dict[str, Any]:
        """Return the state as JSON-able dict; it is the view's own, so do not change it."""
        return self._document

    @abstractmethod
    def take_rows(self) -> Any:
        """Return what the writer has to add since the last call.

        run-state: None (its document is the view); metric-history: dict[SeriesKey, Points];
        message-feed: list[MessageRow].
        """


@dataclass(slots=True)
class Points:
    """New points of one series, as columns of equal length, in the order in which they were folded.

    Series that were reported together may share columns: extend none that came from a view.

    `number` orders the chunks of a series: it grows with the fold, from chunk to chunk of a series
    and from commit to commit. Positions do not when a server lost its tail and its clock went back.
    """

    number: int
    ms: array[int]
    """Typecode q, like `seq` and `index`: the position of each point's event."""
    seq: array[int]
    index: array[int]
    times: array[int]
    """Typecode q: µs since the epoch, the producer's clock."""
    values: array[float]
    """Typecode d; NaN and infinities among them."""
    xs: array[float] | None
    """Typecode d; NaN for points without x. None when no point has one."""

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.values)

    def extend(self, others: Points) -> None:
        """Add the points of `others` behind these; `number` stays."""
        if self.xs is None and others.xs is not None:
            self.xs = array("d", [nan]) * len(self)
        if self.xs is not None:
            self.xs.extend(others.xs or array("d", [nan]) * len(others))
        self.ms.extend(others.ms)
        self.seq.extend(others.seq)
        self.index.extend(others.index)
        self.times.extend(others.times)
        self.values.extend(others.values)

    def part(self, begin: int, end: int) -> Points:
        """Return the points from `begin` on, and before `end`."""
        return Points(
            self.number,
            self.ms[begin:end],
            self.seq[begin:end],
            self.index[begin:end],
            self.times[begin:end],
            values=self.values[begin:end],
            xs=None if self.xs is None else self.xs[begin:end],
        )


def begin_points(number: int) -> Points:
    """Return no points, to be extended."""
    return Points(
        number, array("q"), array("q"), array("q"), array("q"), values=array("d"), xs=None
    )


def joined(parts: Sequence[Points]) -> Points:
    """Return the parts of one series as one; a single part is returned as it is."""
    if len(parts) == 1:
        return parts[0]
    whole = begin_points(parts[0].number)
    for part in parts:
        whole.extend(part)
    return whole


class MessageRow(NamedTuple):
    """One line of a job's message feed.

    `number` counts the rows of a job from 0 in the order of the fold: with the job it is the key
    and the order of the feed. Positions are unique and ordered too, unless a server lost its tail
    and its clock went back.
    """

    number: int
    ms: int
    seq: int
    line: int
    """With `ms` and `seq` the position: the index of the event in its entry."""
    time: int
    """µs since the epoch, the producer's clock."""
    kind: str
    """`message`, `dev_event` or `log`."""
    level: str
    """A LogLevel as a rule; `debug` for dev events."""
    step: str | None
    rank: int
    attempt: int
    content: str
    """The message as it was rendered; of a dev event its message, of a log entry its event name."""
    key: str | None
    """Message code, if the message has one."""
    file: str | None
    details: str | None
    """JSON object with what the event has of `template` ({lang: text}), `params`, `data`, and
    `truncated`; None when it has none of them."""
