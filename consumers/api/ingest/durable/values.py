"""What is appended to a stream as reports, and recorded events as what a stream gives. Pure.

In a JSON stream an object whose `type` is that of a report is that report, and comes out as it was
recorded; an `end` comes with the close, and says how the run ended. Any other value, and the bytes
of a stream of another kind, is kept as a dev event, and comes out as it went in. That a stream was
made or closed is a run's begin or end, which are recorded, too, and no part of what it holds.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import orjson

from consumers.api.ingest.durable.stream import PRODUCER
from consumers.api.ingest.synapse import Report
from synapse_stream.events import rules
from synapse_stream.events.encoding import MAX_EVENT_BYTES, encode
from synapse_stream.events.tags import restore
from synapse_stream.models import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.api.shapes import Line

JSON = "application/json"

_KEPT = "kept for a stream"
_LIFE = frozenset({"run_started", "end"})
_PIECE_BYTES = MAX_EVENT_BYTES // 4
"""Of bytes that are no text, which become longer; a character of a text has at most as many."""


def is_json(content_type: str) -> bool:
    """Tell whether a stream of this media type holds JSON values."""
    return content_type == JSON or content_type.endswith("+json")


def is_text(content_type: str) -> bool:
    """Tell whether what such a stream gives can be sent as it is in an event stream."""
    return is_json(content_type) or content_type.startswith("text/")


def reports_in(body: bytes, content_type: str) -> list[Report]:
    """Return what a request appends: each value of a list, one value, or bytes.

    Raises:
        ValueError: it is no JSON, an empty list, or a report that cannot be.
    """
    if not is_json(content_type):
        return list(_of_bytes(body))
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        msg = f"the body is no JSON: {error}"[:300]
        raise ValueError(msg) from None
    return [_of_value(one) for one in (content if isinstance(content, list) else [content])]


def begin(host: str) -> Report:
    """Return the report that a stream was made."""
    labels = {"reported_by": "Durable Streams, over HTTP"}
    return Report("run_started", None, {"host": host, "pid": 0, "rank": 0, "labels": labels})


def end() -> Report:
    """Return the report that a stream is closed, without saying how its run ended."""
    return Report("end", None, rules.end(RunStatus.COMPLETED))


def given(line: Line, content_type: str) -> bytes | None:
    """Return what a stream of this media type gives of a recorded event; None for nothing."""
    is_ours = line.producer == PRODUCER
    if is_ours and line.type in _LIFE:
        return None
    event = orjson.loads(line.json) if is_ours and line.type == "dev_event" else {}
    if event.get("message") != _KEPT:
        return line.json if is_json(content_type) else None
    kept = restore(event["data"])
    if "value" in kept:
        return orjson.dumps(kept["value"]) if is_json(content_type) else None
    return b64decode(kept["base64"]) if "base64" in kept else str(kept["text"]).encode()


def _of_value(value: Any) -> Report:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in _REPORTS:
        try:
            return Report(kind, rules.step_name(value.get("step")), _REPORTS[kind](value))
        except (TypeError, ValueError, KeyError) as error:
            msg = f"a {kind} cannot be so: {error}"[:300]
            raise ValueError(msg) from None
    return _kept({"value": value})


def _of_bytes(body: bytes) -> Iterator[Report]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    size = _PIECE_BYTES // 2
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    try:
        yield from [_kept({"text": piece}) for piece in pieces]
    except ValueError:  # it holds what no text of an event can
        text = ""
    if not text:
        for at in range(0, len(body), _PIECE_BYTES):
            yield _kept({"base64": b64encode(body[at : at + _PIECE_BYTES]).decode()})


def _kept(data: dict[str, Any]) -> Report:
    """Return the report that keeps a value.

    Raises:
        ValueError: it would not come out as it went in.
    """
    report = Report("dev_event", None, rules.dev_event(_KEPT, data))
    (body,) = encode(report.kind, None, report.fields)
    if restore(orjson.loads(b"{" + body)["data"]) != data:
        msg = f"a value is too large, at most {MAX_EVENT_BYTES} bytes, or holds what JSON cannot"
        raise ValueError(msg)
    return report


def _message(value: dict[str, Any]) -> dict[str, Any]:
    return rules.message(value["content"], value.get("level", "info"), value.get("params", {}))


def _metrics(value: dict[str, Any]) -> dict[str, Any]:
    return rules.metrics(restore(value["values"]), value.get("x"))


def _progress(value: dict[str, Any]) -> dict[str, Any]:
    return rules.progress(value["current"], value["total"])


def _log(value: dict[str, Any]) -> dict[str, Any]:
    return rules.log(value["event"], value.get("data", {}), level=value.get("level", "info"))


def _dev_event(value: dict[str, Any]) -> dict[str, Any]:
    return rules.dev_event(value["message"], value.get("data"))


def _end(value: dict[str, Any]) -> dict[str, Any]:
    return rules.end(value["status"], value.get("error"), value.get("result"))


_REPORTS = {
    "message": _message,
    "metrics": _metrics,
    "progress": _progress,
    "log": _log,
    "dev_event": _dev_event,
    "end": _end,
}
