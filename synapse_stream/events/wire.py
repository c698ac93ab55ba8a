"""What all events have, and field types whose values are written differently from Python's."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from synapse_stream.events.tags import NON_FINITE, restore, tag, wire_number

_NUMBER_SCHEMA = {"anyOf": [{"type": "number"}, {"enum": list(NON_FINITE)}]}


def _number(value: Any) -> int | float:
    if type(value) is float or type(value) is int:
        return value
    if isinstance(value, str) and value in NON_FINITE:
        return NON_FINITE[value]
    msg = f"{value!r} is neither a number nor one of {', '.join(NON_FINITE)}"
    raise ValueError(msg)


Number = Annotated[
    int | float,
    PlainValidator(_number),
    PlainSerializer(wire_number, return_type=Any),
    WithJsonSchema(_NUMBER_SCHEMA),
]
_tagging = PlainSerializer(tag, return_type=Any)
FreeData = Annotated[Any, BeforeValidator(restore), _tagging]
FreeMapping = Annotated[dict[str, Any], BeforeValidator(restore), _tagging]
Templates = Annotated[dict[str, str], BeforeValidator(restore), _tagging]
Count = Annotated[int, Field(ge=0)]


class Wire(BaseModel):
    """What comes over the wire: not changed, not converted, and nothing of it dropped."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="allow", use_attribute_docstrings=True
    )


class Truncated(Wire):
    """What an event that was too large looked like."""

    field: str
    """Names of the fields that hold only head and tail, separated by commas."""
    size: Count
    """Bytes of the encoding as it would have been."""
    sha256: str
    """Digest of that encoding."""


class Event(Wire):
    """What every event has; fields of newer producers are kept as extra ones."""

    seq: Count
    """Number of the event among those of its producer, from 0."""
    time: int
    """When it was reported: microseconds since the Unix epoch. For display, never for order."""
    type: str
    v: int
    """Version of the type's schema."""
    step: str | None = None
    truncated: Truncated | None = None
