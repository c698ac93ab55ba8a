"""What the frames of live streams look like, by their names, as `schemas`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import RootModel

from consumers.api.job_schemas import Condition, Summary
from consumers.api.schemas import Away, Count, Millis, Place, Shape, ViewShape

if TYPE_CHECKING:
    from pydantic import BaseModel


class LiveJob(Condition):
    """The condition of a job, with all events up to `position`."""

    position: Place
    age_seconds: float
    """By the server's clock, since that event was recorded."""
    now_ms: Millis


class Reported(Shape):
    """One recorded event: as its producer wrote it, and whose it is."""

    position: Place
    producer: str
    attempt: int
    rank: int
    event: dict[str, Any]


class Coalesced(Shape):
    """Progress and metrics events that were left out, for a reader that was too slow."""

    events: Count
    until: Place


class Reset(Shape):
    """What the reader has is of another stream."""

    reason: str


class Server(Shape):
    """When the server that runs report to did not answer."""

    away: Away
    now_ms: Millis


class Whose(RootModel[int]):
    """The place of a stream in the list that was asked for, from 0 on."""


class NotNow(Shape):
    """One of several streams cannot be had, now at least."""

    status: int
    detail: str


class FrameShape(NamedTuple):
    """What is known of the frames of one name."""

    model: type[BaseModel]
    when: str


OF_JOB = {
    "snapshot": FrameShape(
        LiveJob, "First, and after each `reset`: the job, with all events up to the frame's id"
    ),
    "event": FrameShape(Reported, "For every event behind the snapshot, in the stream's order"),
    "state": FrameShape(LiveJob, "Whenever the job has changed, a few times a second at most"),
    "view": FrameShape(ViewShape, "With `view`: when what that view has of the job is another one"),
    "coalesced": FrameShape(Coalesced, "To a reader that is too slow"),
    "reset": FrameShape(Reset, "When what the reader has is not in the stream; a snapshot follows"),
    "server": FrameShape(Server, "While the server that runs report to is away, and once after"),
}
"""Frames of `/api/jobs/{job}/live`."""

OF_JOBS = {
    "job": FrameShape(Summary, "Whenever the state of a job has changed"),
    "from": FrameShape(Whose, "With `streams`: whose the next frames are"),
    "refused": FrameShape(NotNow, "With `streams`: that one of them cannot be had now"),
}
"""Frames of `/api/live`; with `streams` those of jobs come as well."""
