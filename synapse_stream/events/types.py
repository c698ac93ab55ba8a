"""The events of a run: one model a type, with its wire name and schema version written down.

What a reader does not know it keeps: an unknown type, or a newer version of a known one, is an
`UnknownEvent`, and unknown fields stay with their event. `dump` writes them as they came.

    python -m synapse_stream.events.types > docs/events.schema.json
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic.json_schema import models_json_schema

from synapse_stream.errors import DecodeError
from synapse_stream.events.acts import Act, ActOutcome, SignedOff
from synapse_stream.events.lives import (
    Child,
    End,
    Heartbeat,
    Joined,
    Loss,
    ProducerLost,
    Resumed,
    RunStarted,
    Terminating,
)
from synapse_stream.events.plain import describe
from synapse_stream.events.upcasts import upcast
from synapse_stream.events.wire import Count, Event, FreeData, FreeMapping, Number, Templates
from synapse_stream.models import ActionStatus, LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.entries.position import Position

__all__ = [
    "EVENT_TYPES", "Act", "ActOutcome", "Action", "Child", "DevEvent", "End", "Event", "Heartbeat",
    "Joined", "Log", "Loss", "Message", "Metrics", "Plan", "ProducerLost", "Progress",
    "RecordedEvent", "Resumed", "RunStarted", "SignedOff", "Terminating", "Undecodable",
    "UnknownEvent", "dump", "json_schema", "parse",
]  # fmt: skip

Level = Annotated[LogLevel, Field(strict=False)]
_REPORTED: JsonValue = {"required": ["current", "total"]}
_FAILED: JsonValue = {"required": ["failed"], "properties": {"failed": {"const": True}}}


class Progress(Event):
    """How far a step is, or that it failed (then with its last percentage)."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_REPORTED, _FAILED]})

    type: Literal["progress"] = "progress"
    v: Literal[1] = 1
    current: int | float | None = None
    total: int | float | None = None
    failed: bool = False
    error: str | None = None

    @model_validator(mode="after")
    def _has_numbers(self) -> Progress:
        if not self.failed and (self.current is None or self.total is None):
            msg = "current and total are needed unless the step failed"
            raise ValueError(msg)
        return self


class Plan(Event):
    """Steps that will come, each with its weight, or null: it weighs by its time."""

    type: Literal["plan"] = "plan"
    v: Literal[1] = 1
    steps: dict[str, int | float | None]


class Metrics(Event):
    """Numbers by name; NaN and infinities are written as texts."""

    type: Literal["metrics"] = "metrics"
    v: Literal[1] = 1
    values: dict[str, Number]
    x: Number | None = None
    """Place on the horizontal axis (epoch, global step)."""


class Message(Event):
    """A message for users, rendered; with its templates it can be rendered in another language."""

    type: Literal["message"] = "message"
    v: Literal[1] = 1
    content: str
    level: Level = LogLevel.INFO
    key: str | None = None
    template: Templates | None = None
    params: FreeMapping | None = None


class DevEvent(Event):
    """An event for the plugin's developers."""

    type: Literal["dev_event"] = "dev_event"
    v: Literal[1] = 1
    message: str
    data: FreeData = None
    rejected: Count | None = None
    """Values of a report that are kept here, since they could not be recorded as what they were."""


class Log(Event):
    """An event of the plugin's own."""

    type: Literal["log"] = "log"
    v: Literal[1] = 1
    event: str
    data: FreeMapping
    file: str | None = None
    level: Level = LogLevel.INFO


class Action(Event):
    """Where one action of a pipeline stands."""

    type: Literal["action"] = "action"
    v: Literal[1] = 1
    name: str
    status: Annotated[ActionStatus, Field(strict=False)]
    error: str | None = None


class UnknownEvent(Event):
    """An event of a type or version that this release does not know; all its fields are kept."""

    step: Any = None
    truncated: Any = None


class Undecodable(Event):
    """Stands in the place of an event that cannot be read; never on the wire. `seq` may be -1."""

    type: Literal["undecodable"] = "undecodable"
    v: Literal[1] = 1
    seq: Annotated[int, Field(ge=-1)] = -1
    time: int = 0
    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it was read back: where it stands in its job's stream, and whose it is."""

    position: Position
    producer: str
    event: Event


_MODELS: tuple[type[Event], ...] = (
    *(RunStarted, Progress, Plan, Metrics, Message, DevEvent, Log),
    *(Action, Heartbeat, ProducerLost, Loss, End),
    *(Joined, Resumed, Terminating),
    *(Act, ActOutcome, SignedOff),
)
EVENT_TYPES = {model.model_fields["type"].default: model for model in _MODELS}
"""Wire name → model; the version that it reads is the default of its `v`."""


def parse(line: bytes | dict[str, Any]) -> Event:
    """Read an event from its line, or from the line's JSON object.

    An older version becomes the newest. What is unknown or newer gives an `UnknownEvent`.

    Raises:
        DecodeError: the line is no event; the message names type, number and field.
    """
    fields = line if isinstance(line, dict) else _load(line, orjson.loads)
    model = _model_of(fields)
    if model is UnknownEvent and not isinstance(line, dict):
        fields = _load(line, json.loads)  # exact even for integers beyond 64 bits
    try:
        return model.model_validate(upcast(fields))
    except ValidationError as error:
        raise DecodeError(_explain(fields, error)) from None
    except RecursionError as error:
        msg = f"event {fields.get('seq')!r} is nested too deep to be read"
        raise DecodeError(msg) from error


def dump(event: Event) -> bytes:
    """Write the event's line again, without newline; `parse(dump(event)) == event`."""
    if isinstance(event, Undecodable):
        return event.raw
    head = {"seq": event.seq, "time": event.time, "type": event.type, "v": event.v}
    fields = head | event.model_dump(exclude_unset=True)
    try:
        return orjson.dumps(fields)
    except TypeError:  # integers beyond 64 bits, more than 254 levels
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an event line."""
    _, schema = models_json_schema([(model, "validation") for model in _MODELS])
    for model in _MODELS:
        definition = schema["$defs"][model.__name__]
        definition["required"] = sorted({*definition["required"], "type", "v"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Synapse Stream event",
        "description": "One line of a job's stream. Readers keep unknown types and fields.",
        "oneOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in _MODELS],
        **schema,
    }


def _load(line: bytes, loads: Callable[[bytes], Any]) -> dict[str, Any]:
    try:
        fields = loads(line)
    except (ValueError, RecursionError) as error:
        msg = f"the line {describe(line)} is no JSON: {error}"
        raise DecodeError(msg) from error
    if not isinstance(fields, dict):
        msg = f"the line {describe(line)} is no JSON object"
        raise DecodeError(msg)
    return fields


def _model_of(fields: dict[str, Any]) -> type[Event]:
    kind, version = fields.get("type"), fields.get("v")
    model = EVENT_TYPES.get(kind) if isinstance(kind, str) else None
    if model is None or type(version) is not int or version > model.model_fields["v"].default:
        return UnknownEvent
    return model


def _explain(fields: dict[str, Any], error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    name = ".".join(map(str, problem["loc"])) or "the whole"
    value = "" if problem["type"] == "missing" else f"={describe(problem['input'])}"
    event = f"event {describe(fields.get('seq'))} of type {describe(fields.get('type'))}"
    return f"{event} is damaged: {name}{value}: {problem['msg']}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
