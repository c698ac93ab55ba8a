"""What answers about jobs look like, as `schemas`."""

from __future__ import annotations

from typing import Any

from consumers.api.schemas import Answer, Count, Free, Micros, Millis, Place, Shape
from synapse_stream.models import ActionStatus, RunStatus
from synapse_stream.views import CompletenessStatus, Health


class Completeness(Shape):
    """Whether all that was reported is there."""

    status: CompletenessStatus
    missing: dict[str, list[tuple[int, int]]]
    """Producer → ranges of missing numbers, first and last."""
    shed: dict[str, Count]
    """Event type → how many were given up."""


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
    last_sign_ms: Millis
    overall_percent: float | None
    steps: list[Step]
    steps_left_out: Count
    actions: list[Action]
    ranks: list[Rank]
    lost: list[Lost]
    counts: dict[str, Any]
    levels: dict[str, Any]
    completeness: Completeness
    events: Count
    duration_seconds: float


class JobAnswer(Answer):
    """The condition of a job."""

    job_id: str
    status: RunStatus
    health: Health
    parked: Count
    """Events that could not be applied."""
    latest: int
    """Number of the attempt that stands for the job."""
    attempts: list[Attempt]
    """Latest first."""


class Summary(Shape):
    """A job of the list."""

    job_id: str
    status: RunStatus
    health: Health
    percent: float | None
    eta_seconds: float | None
    action: str | None
    plugin: str | None
    attempt: int
    attempts: Count
    started: Micros
    ended: Micros | None
    duration_seconds: float
    events: Count
    completeness: CompletenessStatus
    parked: Count
    error: str | None
    labels: Free
    position: Place | None
    last_sign_ms: Millis
    updated: Micros


class JobsAnswer(Answer):
    """A page of the list."""

    jobs: list[Summary]
    next: str | None
    """To be given as `after` for the next page; null on the last."""
