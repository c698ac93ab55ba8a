"""What answers look like: for the description of the API only, no answer passes through these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from synapse_stream.models import LogLevel
from synapse_stream.ports.views import Axis

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
    """Has exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class Away(Shape):
    """When the server that runs report to did not answer."""

    since_ms: Millis
    until_ms: Millis | None
    """When it answered again; null: it is away."""


class Answer(Shape):
    """How fresh an answer is."""

    position: Place | None
    """Of the last event contained; null if there is none."""
    age_seconds: float | None
    """By the server's clock, since that event was recorded."""
    now_ms: Millis
    away: Away | None
    """Health and time left are those of when it began; null when it is over for two minutes."""


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


class Deployment(Shape):
    """What deployment this is."""

    id: str | None
    now_ms: Millis


class Head(Shape):
    """How far a producer has come."""

    outcome: Literal["appended", "known", "gap"]
    last: int
    """Its last number there, -1 if none."""
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """The chain hash there; 64 zeros if there is none."""


class Appended(Head):
    """What became of a batch, and what there is of its producer."""


class Heads(Shape):
    """How far producers have come."""

    heads: list[Head]


class Written(Shape):
    """A batch without its lines."""

    first: int
    last: int
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    is_last_word: bool
    """True when its producer says no more behind it."""


class WrittenAnswer(Shape):
    """A page of a producer's batches."""

    batches: list[Written]
    next: int | None


class Issued(Shape):
    """A token that was made."""

    token: str
    id: str
    """By which it is revoked."""
    expires: int
    """In seconds since the epoch."""


class Revoked(Shape):
    """A token that counts no more."""

    id: str


class ViewShape(Shape):
    """What a view of another package has of a job."""

    job_id: str
    view: str
    version: int
    """Of the view's rules that made it."""
    position: Place | None
    parked: Count
    """Events of the job that the view could not fold."""
    state: dict[str, Any]
    fault: str | None


class ViewAnswer(Answer):
    """A view of a job, and a page of its rows."""

    job_id: str
    view: str
    version: int
    parked: Count
    state: dict[str, Any]
    fault: str | None
    """Why what is stored cannot be read, or its rows."""
    rows: list[dict[str, Any]]
    """By column."""
    next: int | None
    """To be given as `after` for the rows behind these; null on the last page."""


class ViewOfJobsAnswer(Answer):
    """A view over jobs, in the order of their ids."""

    view: str
    jobs: list[ViewShape]
    next: str | None
    """To be given as `after` for the next page; null on the last."""


class InstalledShape(Shape):
    """A view of another package."""

    name: str
    version: int | None
    is_public: bool
    """True when viewers may see it, too."""
    fault: str | None
    """Why it cannot be had here."""


class ViewsAnswer(Answer):
    """The views of other packages."""

    views: list[InstalledShape]


class SessionAnswer(Shape):
    """Who asks."""

    name: str | None
    role: Literal["viewer", "developer", "operator"] | None
    demands_token: bool
    whence: str
    """Where somebody without a token gets one."""


class Wellness(Shape):
    """Whether this process is well."""

    status: Literal["ok", "ready", "not ready"]
    away: dict[str, str] = {}


class Problem(BaseModel):
    """RFC 9457: what is wrong, and what would be allowed."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    allowed: Any = None
