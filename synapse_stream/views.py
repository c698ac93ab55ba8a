"""What readers get of a job: run state, metric series, messages; and the port they come through.

Times are microseconds since the epoch, as the producers' clocks had them, for display only. Ages
and health rest on the server's clock: the milliseconds of stream ids.

`synapse_stream` knows no database: `open_views` finds who does through the entry point group
`synapse_stream.views`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - for readers of the annotations
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from synapse_stream.errors import ConfigError
from synapse_stream.models import ActionStatus, RunStatus
from synapse_stream.position import Position

if TYPE_CHECKING:
    from array import array

    from synapse_stream.settings import Settings

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


def health(last_sign_ms: int, now_ms: int, status: RunStatus) -> Health:
    """Judge by the age of the last sign, both on the server's clock."""
    if status.is_terminal:
        return Health.ENDED
    age = now_ms - last_sign_ms
    if age >= LOST_AFTER_MS:
        return Health.LOST
    return Health.SILENT if age >= SILENT_AFTER_MS else Health.ALIVE


class CompletenessStatus(StrEnum):
    """Whether all that was reported is there."""

    OPEN = "open"
    """Nothing is missing so far, and more may come."""
    COMPLETE = "complete"
    """All producers have ended, and every event of theirs is there."""
    INCOMPLETE = "incomplete"
    """Events that had been numbered are missing."""
    SHED = "shed"
    """Events were given up before they got a number, since a spool was full."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether all that an attempt's producers reported is there, and what is not."""

    status: CompletenessStatus
    missing: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    """Producer → ranges of missing numbers, first and last."""
    shed: Mapping[str, int] = field(default_factory=dict)
    """Event type → how many were given up."""

    @property
    def missing_count(self) -> int:
        """How many events are missing."""
        return sum(b - a + 1 for ranges in self.missing.values() for a, b in ranges)


@dataclass(frozen=True, slots=True)
class StepState:
    """Progress of one step, of one rank or of all ranks together."""

    name: str | None
    current: float | None
    """None until the step reports a number; ranks are added up."""
    total: float | None
    percent: float
    """0 to 100; of several ranks the mean."""
    started: int
    """Time of the first report since the step began, or began again."""
    updated: int
    rate: float | None
    """Units a second, recent reports weighing more; None before the second report."""
    eta_seconds: float | None
    """Left when it was last `updated`, at that rate."""
    is_failed: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ActionState:
    """Where one action of a pipeline stands."""

    name: str
    status: ActionStatus
    started: int | None
    """When it was first RUNNING."""
    ended: int | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RankState:
    """One rank of an attempt: its newest process, and what it reported."""

    rank: int
    status: RunStatus
    is_lost: bool
    """True when the process died without ending its run."""
    error: str | None
    started: int | None
    ended: int | None
    host: str | None
    pid: int | None
    python: str | None
    sdk: Mapping[str, str]
    last_sign_ms: int
    steps: Sequence[StepState]
    actions: Sequence[ActionState]


@dataclass(frozen=True, slots=True)
class LostProcess:
    """A process that died without ending its run."""

    rank: int | None
    """None: a forked child."""
    host: str | None
    pid: int | None
    time: int
    """When it was seen to be dead."""
    reason: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job, whole."""

    number: int
    status: RunStatus
    error: str | None
    result: Any
    action: str | None
    plugin: str | None
    params: Any
    labels: Mapping[str, Any]
    started: int
    """When rank 0 started; else time of the first event."""
    ended: int | None
    first_time: int
    last_time: int
    """Earliest and latest time of any event."""
    last_sign_ms: int
    overall_percent: float | None
    """Mean of the steps; None when no step was reported."""
    steps: Sequence[StepState]
    steps_left_out: int
    """Reports of steps beyond the first 1,000."""
    actions: Sequence[ActionState]
    ranks: Sequence[RankState]
    lost: Sequence[LostProcess]
    counts: Mapping[str, int]
    """Events by type."""
    levels: Mapping[str, int]
    """Messages by level."""
    completeness: Completeness

    @property
    def events(self) -> int:
        """How many events were folded."""
        return sum(self.counts.values())

    @property
    def duration_seconds(self) -> float:
        """From the start to the end, or to the latest event so far."""
        ended = self.last_time if self.ended is None else self.ended
        return max(0, ended - self.started) / 1e6


@dataclass(frozen=True, slots=True)
class RunState:
    """The condition of a job: its latest attempt, and all of them."""

    job_id: str
    position: Position
    """Of the last event in it."""
    attempts: Sequence[Attempt]
    """Latest first."""
    latest: Attempt
    """The latest that rank 0 has begun."""
    parked: int = 0
    """Events that could not be applied, in any projection."""

    @property
    def status(self) -> RunStatus:
        """Status of the latest attempt."""
        return self.latest.status

    def health(self, now_ms: int) -> Health:
        """Judge the latest attempt at `now_ms` of the server's clock."""
        return health(self.latest.last_sign_ms, now_ms, self.latest.status)


class SeriesKey(NamedTuple):
    """What makes points one series."""

    attempt: int
    rank: int
    step: str | None
    name: str


class Axis(StrEnum):
    """What runs along the horizontal axis of a series."""

    X = "step"
    """The x that was given with the point; a point without one is left out."""
    TIME = "time"
    """µs since the epoch."""
    INDEX = "index"
    """0, 1, 2 … in the order of arrival."""


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """A series without its points."""

    key: SeriesKey
    count: int
    minimum: float | None
    """Smallest finite value; None when there is none."""
    maximum: float | None
    last: float
    has_x: bool
    non_finite: int


@dataclass(frozen=True, slots=True)
class Series:
    """All points of a series, in the order of arrival; columns of equal length."""

    key: SeriesKey
    values: array[float]
    times: array[int]
    xs: array[float] | None
    """NaN for points without x; None when no point has one."""
    positions: Sequence[Position]

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.values)

    def to_numpy(self) -> Any:
        """Return a structured array with the fields `value`, `time` (datetime64[us]) and `x`."""
        import numpy as np  # noqa: PLC0415 - for readers who have it

        points = np.empty(len(self), [("value", "f8"), ("time", "M8[us]"), ("x", "f8")])
        points["value"] = self.values
        points["time"] = np.asarray(self.times, "i8").view("M8[us]")
        points["x"] = np.nan if self.xs is None else self.xs
        return points


@dataclass(frozen=True, slots=True)
class Bucket:
    """What lies in one piece of the axis."""

    start: float
    """Smallest and largest place on the axis that a point of the bucket has."""
    stop: float
    count: int
    minimum: float | None
    """Of the finite values; None when there is none."""
    maximum: float | None
    last: float
    """Value of the point that arrived last."""
    nan: int = 0
    positive_infinite: int = 0
    negative_infinite: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """A series in at most so many buckets: no extreme vanishes, and the true count is there."""

    key: SeriesKey
    axis: Axis
    count: int
    """Points in view; on the axis `step` without those that have no x."""
    buckets: Sequence[Bucket]
    """In the order of the axis; empty pieces are left out."""


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the message feed."""

    position: Position
    time: int
    kind: str
    """`message`, `dev_event` or `log`."""
    level: str
    step: str | None
    rank: int
    attempt: int
    content: str
    """In the language asked for, if the message came from a template that has it."""
    key: str | None = None
    file: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Any = None


class MessagePage(NamedTuple):
    """Some messages, in the order of the feed."""

    messages: Sequence[Message]
    has_more: bool
    """True when there are more in the direction that was asked for."""


class Views(Protocol):
    """Where views are read. Every answer is what was last committed; nothing is locked."""

    def jobs(
        self,
        *,
        status: RunStatus | None = None,
        action: str | None = None,
        text: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[RunState]:
        """Return jobs, the newest first; `after` is the last job id of the page before."""

    def state(self, job_id: str) -> RunState | None:
        """Return a job's run state; None for a job that is not known."""

    def series(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
    ) -> Sequence[SeriesSummary]:
        """Return the job's series that match, by key; `attempt` None means all."""

    def points(self, job_id: str, key: SeriesKey) -> Series:
        """Return every point of a series; an unknown series is an empty one."""

    def overview(
        self,
        job_id: str,
        key: SeriesKey,
        *,
        buckets: int = 1000,
        axis: Axis = Axis.INDEX,
        start: float | None = None,
        stop: float | None = None,
    ) -> Overview:
        """Return a series from `start` to `stop` of the axis, in at most so many buckets."""

    def messages(
        self,
        job_id: str,
        *,
        kinds: Sequence[str] = ("message",),
        levels: Sequence[str] | None = None,
        step: str | None = None,
        text: str | None = None,
        after: Position | None = None,
        before: Position | None = None,
        limit: int = 100,
        language: str | None = None,
    ) -> MessagePage:
        """Return messages behind `after`, or the last ones before `before`; both exclusive."""

    def close(self) -> None:
        """Disconnect."""


def open_views(settings: Settings) -> Views:
    """Open the views of a deployment.

    Raises:
        ConfigError: what serves them is not installed.
    """
    for entry_point in entry_points(group="synapse_stream.views"):
        return entry_point.load()(settings)  # type: ignore[no-any-return]
    msg = "views cannot be read: nothing is installed that serves the entry point synapse_stream.views"
    raise ConfigError(msg)
