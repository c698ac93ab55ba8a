"""What an API answers, as the shapes that readers get from a store. Pure."""

from __future__ import annotations

from array import array
from dataclasses import fields
from math import inf, nan
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from synapse_stream.entries.position import BEGINNING, Position, Positions
from synapse_stream.errors import DecodeError
from synapse_stream.events.tags import NON_FINITE, restore
from synapse_stream.events.types import RecordedEvent, Undecodable, parse
from synapse_stream.models import ActionStatus, RunStatus
from synapse_stream.ports.filters.search import Group, Span
from synapse_stream.ports.views import (
    ActionState,
    Attempt,
    Axis,
    Completeness,
    CompletenessStatus,
    LostProcess,
    Message,
    Overview,
    Quota,
    RankState,
    ResumedProcess,
    RunState,
    Series,
    SeriesKey,
    SeriesSummary,
    StepState,
    ViewState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.events.types import Event

_Shape = TypeVar("_Shape")


def position(text: str | None) -> Position:
    """Return where something stands; BEGINNING before the first event."""
    return BEGINNING if text is None else Position.parse(text)


def run_state(found: Mapping[str, Any]) -> RunState:
    """Return a job's condition."""
    attempts = [_attempt(one) for one in found["attempts"]]
    latest = next(one for one in attempts if one.number == found["latest"])
    count = found.get("attempt_count", len(attempts))
    place = position(found["position"])
    quotas = tuple(_several(Quota, found.get("quotas", ())))
    beside = (found["parked"], quotas, tuple(found.get("damaged", ())))
    return RunState(found["job_id"], place, attempts, latest, count, *beside)


def series_key(found: Mapping[str, Any]) -> SeriesKey:
    """Return what names a series."""
    return SeriesKey(found["attempt"], found["rank"], found["step"], found["name"])


def series_summary(found: Mapping[str, Any]) -> SeriesSummary:
    """Return a series without its points."""
    return SeriesSummary(
        key=series_key(found),
        count=found["count"],
        minimum=_float(found["min"]),
        maximum=_float(found["max"]),
        last=_number(found["last"]),
        has_x=found["has_x"],
        non_finite=found["non_finite"],
    )


def series(key: SeriesKey, found: Mapping[str, Any] | None) -> Series:
    """Return every point of a series; None has none."""
    if found is None:
        return Series(key, array("d"), array("q"), None, Positions([], [], []))
    xs = found["x"]
    return Series(
        key,
        _numbers(found["value"]),
        array("q", found["time"]),
        None if xs is None else _numbers(xs),
        _positions(found["position"]),
    )


def overview(key: SeriesKey, axis: Axis, found: Mapping[str, Any] | None) -> Overview:
    """Return a series in buckets; None has none."""
    buckets = {} if found is None else found["buckets"]
    columns = {
        "start": _places(axis, buckets.get("start", ())),
        "stop": _places(axis, buckets.get("stop", ())),
        "points": array("q", buckets.get("points", ())),
        "minimum": array("d", [inf if v is None else v for v in buckets.get("min", ())]),
        "maximum": array("d", [-inf if v is None else v for v in buckets.get("max", ())]),
        "last": _numbers(buckets.get("last", ())),
        "nans": array("q", buckets.get("nans", ())),
        "positive_infinite": array("q", buckets.get("positive_infinite", ())),
        "negative_infinite": array("q", buckets.get("negative_infinite", ())),
    }
    return Overview(key, axis, 0 if found is None else found["in_view"], columns)


def message(found: Mapping[str, Any]) -> Message:
    """Return one line of the feed."""
    place = Position.parse(found["position"])
    free = {name: restore(found[name]) for name in ("params", "data")}
    return _taken(Message, {**found, **free, "position": place})


def view_state(found: Mapping[str, Any]) -> ViewState:
    """Return what the view of another package has of a job."""
    return _taken(ViewState, {**found, "position": position(found["position"])})


def recorded(line: bytes) -> RecordedEvent:
    """Return an event by its line of NDJSON; its own bytes are in there as its producer wrote them.

    Raises:
        ValueError, KeyError: it is no such line.
    """
    frame = orjson.loads(line)
    head = orjson.dumps({"position": frame["position"], "producer": frame["producer"]})
    place = Position.parse(frame["position"])
    own = line[len(head) - 1 + len(b',"event":') : -1]
    return RecordedEvent(place, frame["producer"], _event(frame["event"], own, place))


def _event(found: Mapping[str, Any], line: bytes, place: Position) -> Event:
    if found.get("type") == "undecodable":
        raw = found["raw"].encode()
        return Undecodable(seq=found["seq"], time=found["time"], raw=raw, reason=found["reason"])
    try:
        return parse(line)
    except DecodeError as error:
        number = found.get("seq")
        seq = number if isinstance(number, int) and number >= 0 else -1
        return Undecodable(seq=seq, time=place.ms * 1000, raw=line, reason=str(error))


def _attempt(found: Mapping[str, Any]) -> Attempt:
    completeness = found["completeness"]
    missing = {
        name: [(first, last) for first, last in ranges]
        for name, ranges in completeness["missing"].items()
    }
    status = CompletenessStatus(completeness["status"])
    made = {
        "status": RunStatus(found["status"]),
        "result": restore(found["result"]),
        "params": restore(found["params"]),
        "labels": restore(found["labels"]),
        "steps": _several(StepState, found["steps"]),
        "actions": [_action(one) for one in found["actions"]],
        "ranks": [_rank(one) for one in found["ranks"]],
        "lost": _several(LostProcess, found["lost"]),
        "resumed": _several(ResumedProcess, found["resumed"]),
        "quotas": tuple(_several(Quota, found.get("quotas", ()))),
        "completeness": _taken(
            Completeness, {**completeness, "status": status, "missing": missing}
        ),
    }
    return _taken(Attempt, {**found, **made})


def _rank(found: Mapping[str, Any]) -> RankState:
    made = {
        "status": RunStatus(found["status"]),
        "steps": _several(StepState, found["steps"]),
        "actions": [_action(one) for one in found["actions"]],
    }
    return _taken(RankState, {**found, **made})


def _action(found: Mapping[str, Any]) -> ActionState:
    return _taken(ActionState, {**found, "status": ActionStatus(found["status"])})


def _several(kind: type[_Shape], found: Sequence[Mapping[str, Any]]) -> list[_Shape]:
    return [_taken(kind, one) for one in found]


def _taken(kind: type[_Shape], found: Mapping[str, Any]) -> _Shape:
    """Make a shape of what it has fields for: a newer API may tell more."""
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]  # dataclasses only
    return kind(**{name: value for name, value in found.items() if name in names})


def _places(axis: Axis, column: Sequence[Any]) -> array[Any]:
    return _numbers(column) if axis is Axis.X else array("q", map(int, column))


def _numbers(column: Sequence[Any]) -> array[float]:
    try:
        return array("d", column)
    except TypeError:  # some have no number, or are not finite
        return array("d", map(_number, column))


def _number(value: Any) -> float:
    if value is None:
        return nan
    return NON_FINITE[value] if isinstance(value, str) else float(value)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _positions(texts: Sequence[str]) -> Positions:
    numbers = array("Q", map(int, "-".join(texts).replace(".", "-").split("-"))) if texts else []
    return Positions(numbers[0::3], numbers[1::3], numbers[2::3])


def group(one: Mapping[str, Any]) -> Group:
    """Return a group of runs."""
    spans = {
        name: Span(span["low"], span["high"], span["mean"] * span["runs"], span["runs"])
        for name, span in one["spans"].items()
    }
    return Group(one["value"], one["statuses"], spans)
