"""What an event's field must be to be applied; everything else is a reason to park the event."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.events.tags import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LATEST_TIME = 2**53
"""µs since the epoch; the year 2255."""
LONGEST_NAME = 512
"""Characters of a step, metric, action or type; what `rules.MAX_NAME` lets producers write."""

_SHOWN = 80
_LARGEST_RANK = 1_000_000
_DEPTH_ABOVE = 8  # how deep a document or row may nest what an event holds


class Unfit(ValueError):
    """A field is not what its type promises; the message names it and what is allowed."""


def unfit(field: str, value: Any, allowed: str) -> Unfit:
    """Return the refusal of a field."""
    return Unfit(f"{field}={_shown(value)} is not allowed; expected {allowed}")


def version_one(event: Mapping[str, Any]) -> None:
    """See that the event's schema is one that is known here."""
    version = event.get("v", 1)
    if version != 1:
        msg = f"v={_shown(version)} of {event['type']} is not known here; known is 1"
        raise Unfit(msg)


def name(event: Mapping[str, Any], field: str) -> str:
    """Return a text that may be a key in an index: not too long, no NUL."""
    value = event.get(field)
    if type(value) is not str:
        raise unfit(field, value, "a text")
    if len(value) > LONGEST_NAME or "\0" in value:
        raise unfit(field, value, f"at most {LONGEST_NAME} characters, none of them NUL")
    return value


def step(event: Mapping[str, Any]) -> str:
    """Return the step; no step is the empty one."""
    return "" if event.get("step") is None else name(event, "step")


def time(event: Mapping[str, Any]) -> int:
    """Return when the event was made."""
    value = event.get("time")
    if type(value) is not int or not 0 <= value < LATEST_TIME:
        raise unfit("time", value, f"an integer from 0 to {LATEST_TIME - 1}")
    return value


def text(event: Mapping[str, Any], field: str) -> str | None:
    """Return a text or None."""
    value = event.get(field)
    if value is None:
        return None
    if type(value) is not str:
        raise unfit(field, value, "a text or null")
    return visible(value)


def is_whole(value: Any) -> bool:
    """Tell whether a value is an integer from 0."""
    return type(value) is int and 0 <= value < LATEST_TIME


def whole(event: Mapping[str, Any], field: str) -> int | None:
    """Return an integer from 0 or None."""
    value = event.get(field)
    if value is not None and not is_whole(value):
        raise unfit(field, value, "an integer from 0, or null")
    return value


def rank(event: Mapping[str, Any], default: int) -> int | None:
    """Return the rank an event names, None for a forked child, `default` if it names none."""
    value = event.get("rank", default)
    if value is not None and (type(value) is not int or not 0 <= value <= _LARGEST_RANK):
        raise unfit("rank", value, f"an integer from 0 to {_LARGEST_RANK}, or null")
    return value


def number(event: Mapping[str, Any], field: str) -> float:
    """Return a finite number."""
    value: Any = event.get(field)
    if type(value) not in {int, float} or not isfinite(value):
        raise unfit(field, value, "a finite number")
    return value  # type: ignore[no-any-return]


def metric(name: str, value: Any) -> float:
    """Return a metric's number; those that are not finite come as their names."""
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str) and value in NON_FINITE:
        return NON_FINITE[value]
    raise unfit(name, value, f"a number, {', '.join(NON_FINITE)}")


def flag(event: Mapping[str, Any], field: str) -> bool:
    """Return True or False; null and nothing are False."""
    value = event.get(field)
    if value is not None and type(value) is not bool:
        raise unfit(field, value, "true or false")
    return bool(value)


def member(event: Mapping[str, Any], field: str, allowed: Collection[str]) -> str:
    """Return one of the `allowed` texts."""
    value = event.get(field)
    if type(value) is not str or value not in allowed:
        raise unfit(field, value, f"one of {', '.join(allowed)}")
    return value


def mapping(event: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return an object that can be written again; null is an empty one."""
    value = event.get(field)
    if value is None:
        return {}
    if type(value) is not dict:
        raise unfit(field, value, "an object or null")
    writable(event, field)
    return value


def writable(event: Mapping[str, Any], field: str) -> Any:
    """Return a value that can be written again: JSON can be read deeper than written."""
    value = event.get(field)
    nested = value
    for _ in range(_DEPTH_ABOVE):
        nested = [nested]
    try:
        orjson.dumps(nested)
    except TypeError as error:
        raise unfit(field, "…", "nested less deeply") from error
    return value


def visible(value: str) -> str:
    """Return `value` with NUL, which PostgreSQL does not store, as the symbol for it."""
    return value.replace("\0", "\u2400") if "\0" in value else value


def _shown(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return type(value).__name__
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
