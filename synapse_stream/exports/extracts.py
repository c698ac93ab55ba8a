"""Events of a run for other programs: CloudEvents 1.0 and CSV. They cannot be imported again."""

from __future__ import annotations

from base64 import b64encode
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from synapse_stream.events.types import Undecodable, dump
from synapse_stream.ports.views.table import csv_text, defused, utc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_stream.events.types import RecordedEvent

_COLUMNS = ("position", "producer", "seq", "time", "type", "v", "step", "fields")
_ENVELOPE = frozenset({"seq", "time", "type", "v", "step"})


def write_cloudevents(job_id: str, events: Iterable[RecordedEvent], file: IO[bytes]) -> int:
    """Write JSON Lines, a CloudEvent each, in the JSON format; return how many.

    `source` and `id` are unique together; `position` and `producer` are extension attributes.
    """
    count = 0
    source = f"/synapse-stream/jobs/{quote(job_id, safe='')}"
    for count, found in enumerate(events, 1):  # noqa: B007 - what is returned
        file.write(_cloudevent(source, found))
    return count


def write_csv(events: Iterable[RecordedEvent], file: IO[bytes]) -> int:
    """Write a line an event below a header, its own fields as JSON; return how many."""
    count = 0
    file.write(csv_text([_COLUMNS]).encode())
    for count, found in enumerate(events, 1):  # noqa: B007 - what is returned
        file.write(csv_text([_row(found)]).encode(errors="replace"))
    return count


def _cloudevent(source: str, found: RecordedEvent) -> bytes:
    event = found.event
    content: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{found.producer}/{event.seq}" if event.seq >= 0 else str(found.position),
        "source": source,
        "type": f"synapse_stream.{event.type}.v{event.v}",
        "time": utc(event.time),
        "position": str(found.position),
        "producer": found.producer or "-",  # an attribute must not be empty
    }
    if isinstance(event, Undecodable):
        content["datacontenttype"] = "application/octet-stream"
        content["data_base64"] = b64encode(event.raw).decode()
    else:
        content["datacontenttype"] = "application/json"
        content["data"] = orjson.Fragment(dump(event))
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def _row(found: RecordedEvent) -> list[Any]:
    event = found.event
    if isinstance(event, Undecodable):
        fields: Any = {"reason": event.reason, "raw": b64encode(event.raw).decode()}
    else:
        whole = orjson.loads(dump(event))
        fields = {name: value for name, value in whole.items() if name not in _ENVELOPE}
    start = [str(found.position), defused(found.producer), event.seq, utc(event.time)]
    kind, step = defused(event.type), defused(event.step or "")
    return [*start, kind, event.v, step, orjson.dumps(fields).decode()]
