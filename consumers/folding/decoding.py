"""What stands in the lines of a batch, whatever they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.folding.ledger import stands_for_range
from synapse_stream.entries.batch import decode_events
from synapse_stream.errors import DecodeError
from synapse_stream.events.upcasts import STEPS, upcast

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch

Content = tuple[list[dict[str, Any]], dict[int, str]]
"""Events, and by their index why they cannot be read."""


def decode(batch: Batch) -> Content:
    """Return an event a line, and why lines cannot be read; those have an empty event.

    Events of older versions are given as the newest.
    """
    events, faults = _read(batch)
    if STEPS:
        for index, event in enumerate(events):
            try:
                events[index] = upcast(event)
            except DecodeError as error:
                faults.setdefault(index, str(error))
    return events, faults


def event_of(line: bytes) -> dict[str, Any]:
    """Return the event of a line; an empty one where it holds none."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def _read(batch: Batch) -> Content:
    try:
        events = decode_events(batch.data)
    except DecodeError:
        return _decode_lines(batch)
    lines = batch.data.count(b"\n") + (not batch.data.endswith(b"\n"))
    if set(map(type, events)) != {dict} or len(events) != lines:
        return _decode_lines(batch)  # decode_events also takes a newline within a string
    if len(events) != batch.last - batch.first + 1 and not stands_for_range(batch, events):
        return _decode_lines(batch)
    return events, {}


def _decode_lines(batch: Batch) -> Content:
    events: list[dict[str, Any]] = []
    faults: dict[int, str] = {}
    for index, line in enumerate(split_lines(batch.data)):
        event: Any = None
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            faults[index] = f"not JSON: {error}"
        if isinstance(event, dict):
            events.append(event)
        else:
            faults.setdefault(index, f"not a JSON object but {type(event).__name__}")
            events.append({})
    return events, faults


def split_lines(data: bytes) -> list[bytes]:
    """Return the lines of a batch, also when the last one has no newline."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]
