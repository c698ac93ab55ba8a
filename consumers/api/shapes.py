"""Views and recorded entries as the JSON that clients get; the same for answers and live frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from consumers.api import viewers
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.events.tags import wire_number
from synapse_stream.ports.views.jsonable import jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import EllipsisType

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.server_clock import Away, ServerClock
    from synapse_stream.ports.views import (
        Attempt,
        Message,
        RunState,
        SeriesKey,
        SeriesSummary,
        ViewState,
    )

UNDECODABLE = "undecodable"
"""Type of what stands in the place of an event that cannot be read."""


class Line(NamedTuple):
    """One event as its producer wrote it."""

    position: Position
    producer: str
    type: str
    json: bytes
    """The producer's own bytes; of what cannot be read an `undecodable` event in its place."""
    seen: bytes | EllipsisType | None = ...
    """What viewers get of it, None for nothing, if that was looked up already."""

    @property
    def for_viewers(self) -> Line | None:
        """It as viewers get it; None if they do not."""
        seen = (
            viewers.event(self.type, orjson.loads(self.json), self.json)
            if self.seen is ...
            else self.seen
        )
        if seen is self.json:
            return self
        return None if seen is None else Line(self.position, self.producer, self.type, seen, seen)

    def frame(self) -> dict[str, Any]:
        """Return what clients get."""
        event = orjson.Fragment(self.json)
        return {"position": str(self.position), "producer": self.producer, "event": event}


def job(state: RunState, now_ms: int) -> dict[str, Any]:
    """Return a run state whole, without its freshness."""
    return {
        "job_id": state.job_id,
        "status": state.status,
        "health": state.health(now_ms),
        "parked": state.parked,
        "damaged": list(state.damaged),
        "latest": state.latest.number,
        "alive_beside": state.alive_beside(now_ms),
        "notes": state.notes,
        "quotas": jsonable(state.quotas),
        "attempt_count": state.attempt_count,
        "attempts": [_attempt(attempt) for attempt in state.attempts],
    }


def summary(state: RunState, now_ms: int, arrival: Position | None) -> dict[str, Any]:
    """Return what a list shows of a job, and what it is sorted by."""
    run = state.latest
    return {
        "job_id": state.job_id,
        "status": state.status,
        "health": state.health(now_ms),
        "is_ending": run.is_ending,
        "percent": run.overall_percent,
        "percent_is_at_least": run.overall_is_at_least,
        "eta_seconds": None if run.is_over else run.eta_seconds,
        "eta_is_at_least": run.eta_is_at_least,
        "eta_time": run.eta_time,
        "action": run.action,
        "plugin": run.plugin,
        "attempt": run.number,
        "attempts": state.attempt_count,
        "started": run.started,
        "ended": run.ended,
        "duration_seconds": run.duration_seconds,
        "events": run.events,
        "completeness": run.completeness.status,
        "is_uncounted": run.completeness.is_uncounted,
        "waiting": run.completeness.waiting_count,
        "alive_beside": state.alive_beside(now_ms),
        "notes": [*run.notes, *state.notes],
        "parked": state.parked,
        "damaged": list(state.damaged),
        "error": run.error,
        "labels": jsonable(run.labels),
        "position": position(state.position),
        "arrival": position(arrival),
        "last_sign_ms": run.last_sign_ms,
        "updated": run.last_time,
    }


def series_summary(found: SeriesSummary) -> dict[str, Any]:
    """Return a series without its points."""
    return {
        **key(found.key),
        "count": found.count,
        "min": found.minimum,
        "max": found.maximum,
        "last": wire_number(found.last),
        "has_x": found.has_x,
        "non_finite": found.non_finite,
    }


def message(found: Message) -> dict[str, Any]:
    """Return one message of the feed."""
    return {
        "position": str(found.position),
        "time": found.time,
        "kind": found.kind,
        "level": found.level,
        "step": found.step,
        "rank": found.rank,
        "attempt": found.attempt,
        "content": found.content,
        "key": found.key,
        "file": found.file,
        "params": jsonable(found.params) if found.params else {},
        "data": None if found.data is None else jsonable(found.data),
    }


def view_state(found: ViewState) -> dict[str, Any]:
    """Return what a view of another package has of a job, without its rows."""
    return {
        "job_id": found.job_id,
        "view": found.view,
        "version": found.version,
        "position": position(found.position),
        "parked": found.parked,
        "state": found.state,
        "fault": found.fault,
    }


def key(found: SeriesKey) -> dict[str, Any]:
    """Return what names a series."""
    return {
        "attempt": found.attempt,
        "rank": found.rank,
        "step": found.step,
        "name": found.name,
    }


def freshness(found: Position | None, clock: ServerClock) -> dict[str, Any]:
    """Return how old the last event is by the server's clock, it, and when the server was away."""
    shown, now_ms = position(found), clock.now_ms()
    age = None if shown is None or found is None else max(0, now_ms - found.ms) / 1000
    return {"age_seconds": age, "now_ms": now_ms, "away": away(clock.away)}


def away(found: Away | None) -> dict[str, Any] | None:
    """Return when the server was away last."""
    return None if found is None else found._asdict()


def position(found: Position | None) -> str | None:
    """Return a position as text; None before the first event."""
    return None if found is None or found == BEGINNING else str(found)


def lines(entry: RecordedBatch) -> Iterator[Line]:
    """Yield every event of a stream entry, each as it came."""
    batch = entry.batch
    if batch is None:
        fields = entry.raw or {}
        producer = fields.get(b"p", b"").decode(errors="replace")
        raw = b" ".join(name + b"=" + value for name, value in fields.items())
        place = Position(entry.ms, entry.seq)
        yield _undecodable(place, producer, -1, raw, entry.error or "no batch")
        return
    found = batch.lines()
    for index, line in enumerate(found):
        place = Position(entry.ms, entry.seq, index)
        event = _read(line)
        if isinstance(event, dict):
            kind = event["type"]
            yield Line(place, batch.producer, kind, line, viewers.event(kind, event, line))
        else:
            number = batch.last - len(found) + 1 + index
            yield _undecodable(place, batch.producer, number, line, event)


def _read(line: bytes) -> dict[str, Any] | str:
    """Return an event that has a type, or why the line is none."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    is_event = isinstance(event, dict) and isinstance(event.get("type"), str)
    return event if is_event else "no event: it has no type"


def _undecodable(place: Position, producer: str, number: int, raw: bytes, reason: str) -> Line:
    event = {
        "type": UNDECODABLE,
        "seq": number,
        "time": place.ms * 1000,
        "reason": reason,
        "raw": raw.decode(errors="replace"),
    }
    return Line(place, producer, UNDECODABLE, orjson.dumps(event), None)


def _attempt(found: Attempt) -> dict[str, Any]:
    fields: dict[str, Any] = jsonable(found)
    fields["events"] = found.events
    fields["duration_seconds"] = found.duration_seconds
    fields["notes"] = found.notes
    return fields
