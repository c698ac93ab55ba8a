"""What answers about jobs look like, as `schemas`."""

from __future__ import annotations

from typing import Any, Literal

from consumers.api.schemas import Answer, Count, Free, Micros, Millis, Place, Shape
from synapse_stream.models import ActionStatus, RunStatus
from synapse_stream.ports.views import CompletenessStatus, Health


class Completeness(Shape):
    """Whether all that was reported is there."""

    status: CompletenessStatus
    missing: dict[str, list[tuple[int, int]]]
    """Producer → ranges of missing numbers, first and last."""
    shed: dict[str, Count]
    """Event type → how many were given up."""
    is_uncounted: bool
    """True when an unknown number is missing."""
    waiting: list[str]
    """Producers that have not ended, or of which nothing has come: the first 100."""
    waiting_count: Count
    """How many these are; of child processes only the number may be known."""
    missing_count: Count
    """How many events are missing."""
    reasons: dict[str, Count]
    """Why events were given up → how many for that."""


class Quota(Shape):
    """How much a view keeps of something at most; what is beyond is recorded, but not shown."""

    of: str
    """Of what: `steps`, `actions`, `metrics`, `attempts` …"""
    used: Count
    most: Count
    left_out: Count
    """What came beyond it: reports of steps and actions, values of metrics, earlier attempts."""


class Step(Shape):
    """Progress of one step."""

    name: str | None
    current: Free
    total: Free
    percent: float
    started: Micros
    updated: Micros
    rate: Free
    eta_seconds: Free
    is_failed: bool
    error: str | None


class Action(Shape):
    """Where one action of a pipeline stands."""

    name: str
    status: ActionStatus
    started: Micros | None
    ended: Micros | None
    error: str | None


class Rank(Shape):
    """One rank of an attempt."""

    rank: int
    status: RunStatus
    is_lost: bool
    is_ending: bool
    """True when a signal asked the process to end, and its end has not come yet."""
    signal: str | None
    """A signal asked the process to end, and it went on to end as `status` says."""
    error: str | None
    started: Micros | None
    ended: Micros | None
    host: str | None
    pid: int | None
    python: str | None
    sdk: dict[str, str]
    last_sign_ms: Millis
    steps: list[Step]
    actions: list[Action]


class Lost(Shape):
    """A process that died without ending its run."""

    rank: int | None
    host: str | None
    pid: int | None
    time: Micros
    reason: str
    producer: str


class Resumed(Shape):
    """A process that goes on under another name, since others have reported under its own."""

    rank: int | None
    host: str | None
    pid: int | None
    time: Micros
    reason: str
    producer: str
    """The old name."""
    last: int
    """Last number under the old name that surely is its own; -1: none is."""
    heir: str
    """The new name."""


class Attempt(Shape):
    """One attempt of a job."""

    number: int
    status: RunStatus
    error: str | None
    result: Free
    action: str | None
    plugin: str | None
    params: Free
    labels: Free
    started: Micros
    ended: Micros | None
    first_time: Micros
    last_time: Micros
    first_sign_ms: Millis
    last_sign_ms: Millis
    overall_percent: float | None
    """By its actions and steps, those to come among them; 100 only when it is completed."""
    overall_is_at_least: bool
    """True when an action that is under way does not say how far it is."""
    eta_seconds: float | None
    """Left at `eta_time`."""
    eta_is_at_least: bool
    """True when nothing is known of how long something takes that has not begun."""
    eta_time: Micros | None
    steps: list[Step]
    actions: list[Action]
    ranks: list[Rank]
    lost: list[Lost]
    resumed: list[Resumed]
    rejected: Count
    """Values that could not be recorded as what they were; they are kept as dev events."""
    is_ending: bool
    """True when a signal asked rank 0 to end, and its end has not come yet: `status` may change."""
    signal: str | None
    """A signal asked rank 0 to end, and it went on to end as `status` says."""
    counts: dict[str, Any]
    levels: dict[str, Any]
    completeness: Completeness
    quotas: list[Quota]
    """Of what it has nearly as much as is shown, or more."""
    events: Count
    duration_seconds: float
    notes: list[str]
    """What must be known of it besides, in plain words."""


class Condition(Shape):
    """The condition of a job."""

    job_id: str
    status: RunStatus
    health: Health
    parked: Count
    """Events that could not be applied."""
    damaged: list[str]
    """Projections of which something that is stored of the job cannot be read."""
    latest: int
    """Number of the attempt that stands for the job."""
    alive_beside: list[int]
    """Other attempts that are alive, and report beside it."""
    notes: list[str]
    """What must be known of all attempts together, in plain words."""
    quotas: list[Quota]
    """Of what the job has nearly as much as is shown, or more."""
    attempt_count: Count
    """How many attempts there are; of very many the oldest are not shown."""
    attempts: list[Attempt]
    """Latest first; in a list of jobs not all of a large one."""


class JobAnswer(Condition, Answer):
    """The condition of a job, and how fresh that is."""


class Listed(Condition):
    """A job of the list, whole."""

    position: Place | None


class Summary(Shape):
    """A job of the list."""

    job_id: str
    status: RunStatus
    health: Health
    is_ending: bool
    """True when it was asked to end, and its end has not come yet: `status` may change."""
    percent: float | None
    percent_is_at_least: bool
    """True when an action that is under way does not say how far it is."""
    eta_seconds: float | None
    """Left at `eta_time`."""
    eta_is_at_least: bool
    """True when nothing is known of how long something takes that has not begun."""
    eta_time: Micros | None
    action: str | None
    plugin: str | None
    attempt: int
    attempts: Count
    started: Micros
    ended: Micros | None
    duration_seconds: float
    events: Count
    completeness: CompletenessStatus
    is_uncounted: bool
    """True when an unknown number is missing."""
    waiting: Count
    """Processes that have not ended, or of which nothing has come."""
    alive_beside: list[int]
    """Other attempts that are alive, and report beside the one that is shown."""
    notes: list[str]
    """What must be known of it besides, in plain words."""
    parked: Count
    damaged: list[str]
    """Projections of which something that is stored of the job cannot be read."""
    error: str | None
    labels: Free
    position: Place | None
    arrival: Place | None
    """When its first entry arrived, by the server's clock: the list is sorted by it."""
    last_sign_ms: Millis
    updated: Micros
    values: dict[str, Any] | None = None
    """With a filter, an order or columns: what it has in the fields that they name."""


class JobsAnswer(Answer):
    """A page of the list."""

    jobs: list[Summary] | list[Listed]
    """With `whole` their conditions; of a large one only what a list shows."""
    next: str | None
    """To be given as `after` for the next page; null on the last."""


class CompareRow(Shape):
    """What runs have in one respect."""

    kind: Literal["run", "params", "labels", "environment", "metrics"]
    name: str
    values: list[Any]
    """In the order of the jobs; null: that run has nothing there."""
    best: list[Count]
    """Numbers of the runs with the best value, where its name says whether low or high is good."""


class CompareAnswer(Answer):
    """Runs side by side: only what differs."""

    jobs: list[str]
    rows: list[CompareRow]
    alike: Count
    """In how many respects more all of them are the same."""


class SpanOfGroup(Shape):
    """Numbers of the runs of a group in one column."""

    low: float
    high: float
    mean: float
    runs: Count
    """How many have one."""


class GroupShown(Shape):
    """Runs that have the same in one field."""

    value: Any
    runs: Count
    statuses: dict[str, Count]
    """How many of them stand so."""
    spans: dict[str, SpanOfGroup]
    """By column, of those that are numbers."""


class GroupsAnswer(Answer):
    """Groups of runs, those of most runs first."""

    groups: list[GroupShown]
