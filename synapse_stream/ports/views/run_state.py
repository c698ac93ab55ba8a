"""The condition of a job, as readers get it.

Times are microseconds since the epoch, as the producers' clocks had them, for display only. Age and
health rest on the server's clock: the milliseconds of stream ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from synapse_stream.ports.views.health import Health, health

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.models import ActionStatus, RunStatus
    from synapse_stream.ports.views.quotas import Quota

_NOTED = 3


class CompletenessStatus(StrEnum):
    """Whether all that was reported is there."""

    OPEN = "open"
    """Nothing is missing so far, and more may come."""
    COMPLETE = "complete"
    """All processes have ended, child processes too, and every event of theirs is there."""
    INCOMPLETE = "incomplete"
    """Events that had been numbered are missing."""
    SHED = "shed"
    """Events were given up before they got a number, or an unknown number is missing."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether all that an attempt's producers reported is there, and what is not."""

    status: CompletenessStatus
    missing: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    """Producer → ranges of missing numbers, first and last."""
    shed: Mapping[str, int] = field(default_factory=dict)
    """Event type → how many were given up."""
    is_uncounted: bool = False
    """True when an unknown number is missing: what was left of a process was not whole."""
    waiting: Sequence[str] = ()
    """Producers that have not ended, or of which nothing has come: the first 100."""
    waiting_count: int = 0
    """How many these are; of child processes only the number may be known."""
    missing_count: int = 0
    """How many events are missing."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why events were given up → how many for that."""


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
    is_ending: bool
    """True when a signal asked the process to end, and its end has not come yet."""
    signal: str | None
    """A signal asked the process to end, and it went on to end as `status` says."""
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
    """None: a child process."""
    host: str | None
    pid: int | None
    time: int
    """When it was seen to be dead."""
    reason: str
    producer: str


@dataclass(frozen=True, slots=True)
class ResumedProcess:
    """A process that goes on under another name, since others have reported under its own.

    What stands behind `last` under the old name is not its own: the record was interfered with.
    """

    rank: int | None
    """None: a child process."""
    host: str | None
    pid: int | None
    time: int
    reason: str
    producer: str
    """The old name."""
    last: int
    """Last number under the old name that surely is its own; -1: none is."""
    heir: str
    """The new name."""


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
    first_sign_ms: int
    last_sign_ms: int
    overall_percent: float | None
    """How far the run is, by its actions and steps, those that are to come among them.

    100 only when it is completed. None when it has neither.
    """
    overall_is_at_least: bool
    """True when an action that is under way does not say how far it is, and counts as not begun."""
    eta_seconds: float | None
    """Left at `eta_time`; None when nothing is known of it, or the run is over."""
    eta_is_at_least: bool
    """True when nothing is known of how long something takes that has not begun."""
    eta_time: int | None
    """When `eta_seconds` were left."""
    steps: Sequence[StepState]
    actions: Sequence[ActionState]
    ranks: Sequence[RankState]
    lost: Sequence[LostProcess]
    resumed: Sequence[ResumedProcess]
    rejected: int
    """Values that could not be recorded as what they were; they are kept as dev events."""
    is_ending: bool
    """True when a signal asked rank 0 to end, and its end has not come yet."""
    signal: str | None
    """A signal asked rank 0 to end, and it went on to end as `status` says."""
    counts: Mapping[str, int]
    """Events by type."""
    levels: Mapping[str, int]
    """Messages by level."""
    completeness: Completeness
    quotas: Sequence[Quota]
    """Of what it has nearly as much as is shown, or more."""

    @property
    def events(self) -> int:
        """How many events were folded."""
        return sum(self.counts.values())

    @property
    def duration_seconds(self) -> float:
        """From the start to the end, or to the latest event so far."""
        ended = self.last_time if self.ended is None else self.ended
        return max(0, ended - self.started) / 1e6

    @property
    def is_over(self) -> bool:
        """Whether it has ended for good."""
        return self.status.is_terminal and not self.is_ending

    @property
    def notes(self) -> list[str]:
        """What must be known of it besides, in plain words; nothing of most."""
        said = []
        if self.is_ending:
            said.append("asked to end by a signal; its own end has not come yet")
        elif self.signal is not None:
            said.append(f"{self.signal} asked it to end; it went on, and ended by itself")
        if self.rejected:
            values = "1 value was" if self.rejected == 1 else f"{self.rejected} values were"
            said.append(f"{values} not as the report call takes them: kept as dev events")
        said += [_resumed(one) for one in self.resumed[:_NOTED]]
        if len(self.resumed) > _NOTED:
            said.append(f"{len(self.resumed) - _NOTED} more processes go on under other names")
        return [*said, *(quota.note for quota in self.quotas)]

    def health(self, now_ms: int) -> Health:
        """Judge at `now_ms` of the server's clock."""
        return health(self.last_sign_ms, now_ms, self.status, is_ending=self.is_ending)


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
    attempt_count: int
    """How many attempts there are; a list of jobs may have fewer of them."""
    parked: int = 0
    """Events that could not be applied, in any projection."""
    quotas: Sequence[Quota] = ()
    """Of what the job has nearly as much as is shown, or more: attempts, metrics."""
    damaged: Sequence[str] = ()
    """Projections of which something that is stored of the job cannot be read."""

    @property
    def notes(self) -> list[str]:
        """What must be known of all attempts together, in plain words; nothing of most jobs."""
        return [quota.note for quota in self.quotas]

    @property
    def status(self) -> RunStatus:
        """Status of the latest attempt."""
        return self.latest.status

    @property
    def is_over(self) -> bool:
        """Whether the latest attempt has ended for good."""
        return self.latest.is_over

    def health(self, now_ms: int) -> Health:
        """Judge the latest attempt at `now_ms` of the server's clock."""
        return self.latest.health(now_ms)

    def alive_beside(self, now_ms: int) -> list[int]:
        """Return other attempts that are alive at `now_ms`, and reported beside the latest one."""
        began = self.latest.first_sign_ms
        return [
            one.number
            for one in self.attempts
            if one.number != self.latest.number
            and one.last_sign_ms > began
            and one.health(now_ms) is Health.ALIVE
        ]


def _resumed(one: ResumedProcess) -> str:
    who = "a child process" if one.rank is None else f"rank {one.rank}"
    return (
        f"the record was interfered with: somebody else reported as {who} under {one.producer}, "
        f"where numbers above {one.last} are not its own; it goes on as {one.heir}"
    )
