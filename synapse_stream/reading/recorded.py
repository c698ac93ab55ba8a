"""The events of a recorded entry, also where it holds what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.entries.position import Position
from synapse_stream.errors import DecodeError
from synapse_stream.events.types import RecordedEvent, Undecodable, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.events.types import Event


def events_of(entry: RecordedBatch) -> Iterator[RecordedEvent]:
    """Yield the events of an entry; in the place of what cannot be read, `Undecodable`."""
    producer, events = _decoded(entry)
    for index, event in enumerate(events):
        yield RecordedEvent(Position(entry.ms, entry.seq, index), producer, event)


def _decoded(entry: RecordedBatch) -> tuple[str, list[Event]]:
    batch, time_us = entry.batch, entry.ms * 1000
    if batch is None:
        fields = entry.raw or {}
        raw = b" ".join(name + b"=" + value for name, value in fields.items())
        producer = fields.get(b"p", b"").decode(errors="replace")
        return producer, [_undecodable(-1, time_us, raw, entry.error or "")]
    lines, count = batch.lines(), batch.last - batch.first + 1
    events = [
        _event(line, number, time_us)
        for number, line in enumerate(lines, 1 + batch.last - len(lines))
    ]
    if len(events) != count and [event.type for event in events] != ["loss"]:
        reason = f"{len(lines)} lines for the numbers {batch.first} to {batch.last}"
        events = [_undecodable(batch.last, time_us, batch.data, reason)]
    return batch.producer, events


def _event(line: bytes, number: int, time_us: int) -> Event:
    try:
        return parse(line)
    except DecodeError as error:
        return _undecodable(number, time_us, line, str(error))


def _undecodable(number: int, time_us: int, raw: bytes, reason: str) -> Event:
    return Undecodable(seq=number, time=time_us, raw=raw, reason=reason)


def new_events_of(entry: RecordedBatch, delivered: dict[str, int]) -> Iterator[RecordedEvent]:
    """Yield the events of an entry that were not delivered before the server lost its tail."""
    events, batch = list(events_of(entry)), entry.batch
    if batch is None:
        yield from events
        return
    known = delivered.get(batch.producer, -1)
    delivered[batch.producer] = max(known, batch.last)
    for index, recorded in enumerate(events, 1 - len(events)):
        # counted from the back, since a loss is one line for all the numbers of its batch
        if batch.last + index > known:
            yield recorded
