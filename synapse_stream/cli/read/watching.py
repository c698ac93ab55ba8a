"""What `watch` sees of a run, look by look: the committed views, and the messages that are new."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_stream.cli.read.metrics import course
from synapse_stream.cli.shared.reading import health_of
from synapse_stream.entries.position import BEGINNING
from synapse_stream.log.server_clock import ServerClock
from synapse_stream.ports.views import Health
from synapse_stream.reading.clock import open_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import Message, RunState, SeriesKey, SeriesSummary, Views
    from synapse_stream.settings import Settings

_FIRST_MESSAGES = 20
_PAGE = 500
_MOST_SERIES = 20
_COURSE_COLUMNS = 32
_COURSES_SECONDS = 1.0
_OTHER_VIEWS = ("message-feed", "metric-history")


@dataclass(slots=True)
class Course:
    """How one metric has gone so far."""

    summary: SeriesSummary
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class Look:
    """A run as it stands, and what it has said since the look before."""

    state: RunState
    health: str | None
    courses: Sequence[Course]
    messages: Sequence[Message]
    has_earlier: bool = False
    """True at the first look when there are messages before these."""
    is_over: bool = False
    """True when the run has ended and every view has all of it."""
    away_ms: int | None = None
    """When the server answered last, by its clock; None while it answers."""


class Watcher:
    """Looks at the latest attempt of a job. What a look costs does not grow with the run."""

    def __init__(self, settings: Settings, views: Views, job_id: str) -> None:
        self._views = views
        self._job_id = job_id
        self._asked = open_clock(settings)
        self._clock = ServerClock(self._asked)
        self._said: Position | None = None
        self._courses: dict[SeriesKey, Course] = {}
        self._courses_due = 0.0

    def look(self) -> Look | None:
        """Look once; None while the job is not known.

        Raises:
            SynapseStreamError: the views cannot be read.
        """
        state = self._views.state(self._job_id)
        if state is None:
            return None
        now_ms, away = self._clock.judging_ms(), self._clock.away
        away_ms = away.since_ms if away is not None and away.until_ms is None else None
        health = health_of(state, now_ms if away_ms is None else None)
        is_over = (state.is_over or health == Health.ENDED) and all(
            (self._views.position(view, self._job_id) or BEGINNING) >= state.position
            for view in _OTHER_VIEWS
        )
        if is_over or time.monotonic() >= self._courses_due:
            self._refresh_courses(state.latest.number)
        is_first = self._said is None
        messages, has_earlier = self._new_messages()
        courses = list(self._courses.values())
        has_earlier = is_first and has_earlier
        return Look(state, health, courses, messages, has_earlier, is_over, away_ms)

    def close(self) -> None:
        """Disconnect."""
        self._asked.close()

    def _new_messages(self) -> tuple[list[Message], bool]:
        page = self._views.messages(self._job_id, after=self._said, limit=_FIRST_MESSAGES)
        found, has_more = [*page.messages], page.has_more
        while self._said is not None and has_more:
            after = found[-1].position
            page = self._views.messages(self._job_id, after=after, limit=_PAGE)
            found, has_more = [*found, *page.messages], page.has_more
        self._said = found[-1].position if found else self._said or BEGINNING
        return found, has_more

    def _refresh_courses(self, attempt: int) -> None:
        """Draw again what has got points since, of the first series of the attempt."""
        found = self._views.series(self._job_id, attempt=attempt, limit=_MOST_SERIES)
        before, self._courses = self._courses, {}
        for summary in found:
            known = before.get(summary.key)
            self._courses[summary.key] = (
                known
                if known and known.summary.count == summary.count
                else Course(
                    summary, course(self._views, self._job_id, summary.key, _COURSE_COLUMNS)
                )
            )
        self._courses_due = time.monotonic() + _COURSES_SECONDS
