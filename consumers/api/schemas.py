"""What answers look like: for the description of the API only, no answer passes through these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from synapse_stream.models import ActionStatus, LogLevel, RunStatus
from synapse_stream.views import Axis, CompletenessStatus, Health

Count = Annotated[int, Field(ge=0)]
Micros = Annotated[int, Field(description="Microseconds since the epoch, by the producer's clock.")]
Millis = Annotated[int, Field(description="Milliseconds since the epoch, by the server's clock.")]
Place = Annotated[
    str, Field(pattern=r"^\d+-\d+\.\d+$", examples=["1763880000000-0.3"], title="Position")
]
Number = float | Literal["NaN", "Infinity", "-Infinity"]
Free = Annotated[
    Any,
    Field(
        description='Free data. What JSON cannot hold is tagged: `{"$float": "NaN"}`, '
        '`{"$int": "9007199254740993"}`; a key of that form gets one more `$`.'
    ),
]


class Shape(BaseModel):
    """No field is left out, and none is added."""

    model_config = ConfigDict(extra="forbid")


class Answer(Shape):
    """How fresh an answer is."""

    position: Place | None
    """Of the last event contained; null if there is none."""
    age_seconds: float | None
    """By the server's clock, since that event was recorded."""
    now_ms: Millis


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


class SeriesShape(Shape):
    """A series without its points."""

    attempt: int
    rank: int
    step: str | None
    name: str
    count: Count
    min: float | None
    max: float | None
    last: Number
    has_x: bool
    non_finite: Count


class SeriesAnswer(Answer):
    """A page of the series of a job."""

    series: list[SeriesShape]
    next: str | None


class Buckets(Shape):
    """Columns of equal length; empty buckets are left out."""

    start: list[float]
    stop: list[float]
    points: list[Count]
    min: list[float | None]
    max: list[float | None]
    last: list[Number]
    nans: list[Count]
    positive_infinite: list[Count]
    negative_infinite: list[Count]


class Overview(SeriesShape):
    """A series in buckets: no extreme vanishes."""

    in_view: Count
    buckets: Buckets


class Whole(SeriesShape):
    """A series with every point, in the order of arrival."""

    x: list[Number | None] | None
    time: list[Micros]
    value: list[Number]
    position: list[Place]


class MetricsAnswer(Answer):
    """Courses of series."""

    x: Axis
    series: list[Overview | Whole]
    next: str | None


class Message(Shape):
    """One line of the feed."""

    position: Place
    time: Micros
    kind: Literal["message", "dev_event", "log"]
    level: LogLevel | str
    step: str | None
    rank: int
    attempt: int
    content: str
    key: str | None
    file: str | None
    params: Free
    data: Free


class MessagesAnswer(Answer):
    """A page of the feed, in its order."""

    messages: list[Message]
    has_more: bool
    """In the direction that was asked for."""


class Recorded(Shape):
    """An event as its producer wrote it, and where it stands."""

    position: Place
    producer: str
    event: dict[str, Any]


class EventsAnswer(Answer):
    """A page of the stream."""

    events: list[Recorded]
    next: Place | None
    """To be given as `after` for the next page, which may be an empty one; null at the end."""


class SessionAnswer(Shape):
    """Who asks."""

    name: str | None
    role: Literal["viewer", "developer", "operator"] | None
    demands_token: bool


class Wellness(Shape):
    """Whether this process is well."""

    status: str


class Problem(BaseModel):
    """RFC 9457: what is wrong, and what would be allowed."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    allowed: Any = None
