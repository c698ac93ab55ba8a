"""What operators did: the acts of the trail, each with what came of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synapse_stream.entries.keys import TRAIL
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.events.types import Act, ActOutcome
from synapse_stream.reading.recorded import events_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from synapse_stream.events.types import RecordedEvent
    from synapse_stream.reading.job_reader import JobReader


@dataclass(slots=True)
class WrittenAct:
    """An act as it was written down."""

    position: Position
    act: Act
    outcome: ActOutcome | None = None
    """None: it is being done, or was cut short."""

    @property
    def is_done(self) -> bool:
        """True when it is known to have been done."""
        return self.outcome is not None and self.outcome.outcome == "done"

    def is_of(self, act: str | None, job: str | None, since: Position | int | None) -> bool:
        """Tell whether it is such an act, about that job, at or behind a position or time in µs.

        `act` is its name, or the first word of it.
        """
        if isinstance(since, Position):
            is_late = self.position >= since
        else:
            is_late = since is None or self.act.time >= since
        names = {None, self.act.act, self.act.act.partition(" ")[0]}
        return act in names and (job is None or job in self.act.jobs) and is_late

    def as_json(self) -> dict[str, Any]:
        """Return it as commands and API show it."""
        act, outcome = self.act, self.outcome
        return {
            "position": str(self.position),
            **act.model_dump(
                include={"time", "act", "id", "by", "host", "origin", "reason", "jobs", "before"}
            ),
            "outcome": outcome and outcome.outcome,
            "error": outcome and outcome.error,
            "after": outcome and outcome.model_dump(include={"after"})["after"],
        }


class Acts:
    """Acts by their ids, in the order of the trail; what is taken twice counts once."""

    def __init__(self) -> None:
        self._acts: dict[str, WrittenAct] = {}

    def __iter__(self) -> Iterator[WrittenAct]:
        """Yield them, the oldest first."""
        return iter(list(self._acts.values()))

    def take(self, events: Iterable[RecordedEvent]) -> None:
        """Take what the trail has next."""
        for recorded in events:
            event = recorded.event
            if isinstance(event, Act):
                self._acts.setdefault(event.id, WrittenAct(recorded.position, event))
            elif isinstance(event, ActOutcome):
                written = self._acts.get(event.id)
                if written is not None and written.outcome is None:
                    written.outcome = event


class TrailReader:
    """Reads the trail, each time on from where it was. May be used from several threads."""

    def __init__(self, reader: JobReader) -> None:
        """Read by `reader`, which stays open."""
        self._reader = reader
        self._lock = threading.Lock()
        self._position = BEGINNING
        self._acts = Acts()

    def acts(self) -> Acts:
        """Return all acts up to now.

        Raises what `JobReader.entries` does.
        """
        with self._lock:
            for entry in self._reader.entries(TRAIL, self._position):
                self._acts.take(events_of(entry))
                self._position = Position(entry.ms, entry.seq)
            return self._acts
