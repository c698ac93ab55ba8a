"""Reads a job through an API: what is recorded, and what is recorded while it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.pauses import pause_after
from synapse_stream.reading.ending import is_over
from synapse_stream.remote.connection import Refused
from synapse_stream.remote.events import RemoteEvents
from synapse_stream.remote.views import RemoteViews
from synapse_stream.saying import voice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.entries.position import Position
    from synapse_stream.events.types import RecordedEvent
    from synapse_stream.ports.views import RunState, ViewState
    from synapse_stream.settings import Settings

_WAIT_SECONDS = 20
_UNKNOWN_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 2.0


class RemoteJob:
    """One job; after an outage its tail goes on where it was."""

    def __init__(self, settings: Settings, job_id: str) -> None:
        """Raise ConfigError when the settings cannot be used; the API is asked later."""
        self._events = RemoteEvents(settings, job_id)
        self._views = RemoteViews(settings)
        self._job_id = job_id
        self._numbers: dict[str, int] = {}
        self._failures = 0
        self._has_answered = False

    def state(self, at: Position | int) -> RunState | None:
        """Return the run state as it was at a position or time in µs."""
        return self._views.state(self._job_id, at)

    def view(self, name: str, at: Position | int) -> ViewState | None:
        """Return what the view of another package had of the job; LookupError: there is none."""
        return self._views.view(name, self._job_id, at=at)

    def read(self, after: Position | None, until: Position | None) -> Iterator[RecordedEvent]:
        """Yield as `JobStream.read`."""
        return self._events.read(after or BEGINNING, until)

    def tail(self, after: Position | None) -> Iterator[RecordedEvent]:
        """Yield as `JobStream.tail`."""
        place = after or BEGINNING
        over: bool | None = None if after else False
        while True:
            count = 0
            try:
                if over is None:
                    over = self._was_over(place)
                for found in self._events.wait(place, 0 if over else _WAIT_SECONDS):
                    count, place = count + 1, found.position
                    if self._is_new(found):
                        over = is_over(found.event, over)
                        yield found
            except LogUnavailable as error:
                self._bear(error)
                continue
            self._failures, self._has_answered = 0, True
            if over and not count:
                return

    def close(self) -> None:
        """Disconnect."""
        self._events.close()
        self._views.close()

    def _was_over(self, at: Position) -> bool:
        state = self.state(at)
        return state is not None and state.is_over

    def _is_new(self, found: RecordedEvent) -> bool:
        """Tell whether an event was not seen before the server lost its tail."""
        number, known = found.event.seq, self._numbers.get(found.producer, -1)
        self._numbers[found.producer] = max(known, number)
        return number < 0 or number > known

    def _bear(self, error: LogUnavailable) -> None:
        """Wait for a job that is not known yet, and for an API that is away; raise what stays so.

        A token that was refused is looked for anew, so it is tried once more.
        """
        if isinstance(error, Refused) and error.is_unknown:
            self._has_answered = True
            time.sleep(_UNKNOWN_SECONDS)
            return
        self._failures += 1
        stays = error.is_refusal and not error.retry_after and self._failures > 1
        if stays or not self._has_answered:
            raise error
        if self._failures == 1:
            voice.warn("reading is interrupted: %s", error)
        pause = pause_after(self._failures, _LONGEST_PAUSE_SECONDS)
        time.sleep(max(pause, error.retry_after))
