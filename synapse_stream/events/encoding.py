"""From a report's fields to the bytes of its event: the hottest path of the product.

A *body* is an event line without its beginning `{"seq":…,"time":…,` and without its newline; the
producer adds both.

The fast path is one `orjson.dumps`. It gets no `default` callback on purpose: orjson 3.13 crashes
the process when the callback, or another thread that runs meanwhile, shrinks the list being
written. What orjson cannot write, or would write as `null` (NaN, Infinity), goes through `plain`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson
from orjson import dumps

from synapse_stream.events.names import MAX_NAME, is_storable
from synapse_stream.events.plain import clean, describe, plain
from synapse_stream.events.tags import restore, wire_number

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MAX_EVENT_BYTES",
    "TIME_BITS",
    "VERSIONS",
    "encode",
    "encode_plainest_metrics",
    "representable",
    "restore",
]

MAX_EVENT_BYTES = 256 * 1024
"""Largest body; metrics beyond it are split, other events are cut and marked."""

TIME_BITS = 53
"""Times are microseconds since 1970 in so many bits, the integers that every JSON reader holds."""

VERSIONS = dict.fromkeys(
    (
        "run_started", "progress", "plan", "metrics", "message", "dev_event", "log",
        "action", "heartbeat", "producer_lost", "loss", "end",
        "joined", "resumed", "terminating", "act", "outcome", "signed_off",
    ),
    1,
)  # fmt: skip
"""Wire name → schema version that is written."""

_REPORTS = frozenset({"progress", "plan", "metrics", "message", "dev_event", "log", "action"})

_OPTIONS = (
    orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
)
_NUMBERS = frozenset({int, float})
_MOST_HEADS = 1_000
_HEADS: dict[str | None, bytes] = {}  # what stands before the values, by step
_PLAINEST_BYTES = MAX_EVENT_BYTES - 8192  # whatever the step is
_MARK_BYTES = 512  # room for the field `truncated`
_CUT_BYTES = 64  # room for what stands between head and tail


def representable(time_us: int) -> int:
    """Return the time nearest to `time_us` that views take: from 1970 to the year 2255."""
    return min(max(time_us, 0), (1 << TIME_BITS) - 1)


def encode(kind: str, step: str | None, fields: dict[str, Any]) -> tuple[bytes, ...]:
    """Encode one event; normally one body, several when metrics are split.

    Never raises because of the data, and no body is longer than `MAX_EVENT_BYTES`. An event that
    was cut says so in `truncated`: the names of the cut fields, and size in bytes and SHA-256 of
    the body as it would have been.

    Raises:
        KeyError: `kind` is no event type.
    """
    version = VERSIONS[kind]
    try:
        if step is None:
            event = {"type": kind, "v": version, **fields}
        else:
            event = {"type": kind, "v": version, "step": step, **fields}
        body = dumps(event, None, _OPTIONS)[1:]
    except Exception:  # noqa: BLE001 - foreign code may raise anything
        return _encode_carefully(kind, step, fields)
    # find() is twice as fast as `in` here; a metric's values hold no tag that could be mistaken
    if body.find(b"null") < 0 and (kind == "metrics" or body.find(b'"$') < 0):
        return (body,) if len(body) <= MAX_EVENT_BYTES else _fit(event, body)
    return _encode_carefully(kind, step, fields)


def encode_plainest_metrics(values: Any, step: Any) -> bytes | None:
    """Return the body of a metrics event as `rules` and `encode` make it, in one go.

    None where they have to look: at anything but a dict of texts to finite numbers of Python's own,
    or where a name might be too long or hold what needs an escape.
    """
    try:
        head = _HEADS.get(step) or _head(step)
        values = dict.copy(values)  # other threads may change it meanwhile
        for number in values.values():
            if type(number) not in _NUMBERS:
                return None
        body: bytes = dumps(values, None, _OPTIONS)
    except Exception:  # noqa: BLE001 - whatever is wrong is found and named there
        return None
    if body.find(b"\\") >= 0 or body.find(b"null") >= 0:
        return None
    if len(body) > MAX_NAME and (len(body) > _PLAINEST_BYTES or max(map(len, values)) > MAX_NAME):
        return None
    return head + body + b"}"


def _head(step: Any) -> bytes:
    """Return what stands before the values of a step's metrics.

    Raises:
        TypeError: `step` is no plain text.
    """
    if step is not None and (type(step) is not str or not is_storable(step)):
        raise TypeError(step)
    (body,) = encode("metrics", step, {"values": {}})
    if len(_HEADS) < _MOST_HEADS:
        _HEADS[step] = body[: -len(b"{}}")]
    return body[: -len(b"{}}")]


def _encode_carefully(kind: str, step: str | None, fields: dict[str, Any]) -> tuple[bytes, ...]:
    event: dict[str, Any] = {"type": kind, "v": VERSIONS[kind]}
    try:
        if step is not None:
            event["step"] = clean(step)
        convert = _plain_metrics if kind == "metrics" else plain
        for name, value in fields.items():
            event[name] = convert(value)
        body = dumps(event, None, _OPTIONS)[1:]
    except Exception as error:  # noqa: BLE001 - a MemoryError, or no stack is left
        return _give_up(kind, error)
    return (body,) if len(body) <= MAX_EVENT_BYTES else _fit(event, body)


def _plain_metrics(value: Any) -> Any:
    if isinstance(value, dict):
        return {clean(name): _plain_metrics(number) for name, number in value.items()}
    return wire_number(value) if type(value) in {int, float} else plain(value)


def _fit(event: dict[str, Any], body: bytes) -> tuple[bytes, ...]:
    try:
        if event["type"] == "metrics" and len(event["values"]) > 1:
            return tuple(_split(event, list(event["values"].items())))
        return (_cut(event, body),)
    except Exception as error:  # noqa: BLE001 - a MemoryError, or more fields than fit
        return _give_up(event["type"], error)


def _give_up(kind: str, error: Exception) -> tuple[bytes, ...]:
    event: dict[str, Any] = {"type": kind, "v": VERSIONS[kind], "unencodable": describe(error)}
    if kind in _REPORTS:  # views cannot fold one without its fields
        event |= {"type": "dev_event", "message": f"a {kind} event that cannot be encoded"}
        event |= {"v": VERSIONS["dev_event"], "rejected": 1}
    return (dumps(event)[1:],)


def _split(event: dict[str, Any], values: list[tuple[str, Any]]) -> Iterator[bytes]:
    part = {**event, "values": dict(values)}
    body = dumps(part, None, _OPTIONS)[1:]
    if len(body) <= MAX_EVENT_BYTES:
        yield body
    elif len(values) == 1:
        yield _cut(part, body)
    else:
        middle = len(values) // 2
        yield from _split(event, values[:middle])
        yield from _split(event, values[middle:])


def _cut(event: dict[str, Any], body: bytes) -> bytes:
    """Cut the largest fields, so that every smaller one stays whole."""
    encoded = {name: _encoded(value) for name, value in event.items()}
    names = sum(2 * len(dumps(name)) + 2 for name in event)  # of a cut field twice: in the mark too
    room = MAX_EVENT_BYTES - _MARK_BYTES - names
    if room < 2 * _CUT_BYTES * len(event):
        msg = f"{len(event)} fields are more than an event of {MAX_EVENT_BYTES} bytes can hold"
        raise ValueError(msg)
    short: dict[str, Any] = {}
    for index, name in enumerate(sorted(encoded, key=lambda name: len(encoded[name]))):
        share = room // (len(encoded) - index)
        if len(encoded[name]) > share:
            short[name] = _head_and_tail(event[name], encoded[name], share)
        room -= min(len(encoded[name]), share)
    mark = {"field": ",".join(short), "size": len(body), "sha256": sha256(body).hexdigest()}
    return dumps({**event, **short, "truncated": mark}, None, _OPTIONS)[1:]


def _encoded(value: Any) -> str | bytes:
    if isinstance(value, str) and len(value) > MAX_EVENT_BYTES:
        return value  # too long in any case: spare it a second encoding
    return dumps(value, None, _OPTIONS)


def _head_and_tail(value: Any, encoded: Any, room: int) -> str | dict[str, str]:
    half = (room - _CUT_BYTES) // 2
    if isinstance(value, str):
        head, tail = _start(value[:half], half), _end(value[-half:], half)
        return f"{head}… <cut: {len(value)} characters> …{tail}"
    head, tail = (part.decode(errors="ignore") for part in (encoded[:half], encoded[-half:]))
    return {"head": _start(head, half), "tail": _end(tail, half)}


def _start(text: str, room: int) -> str:
    """Return as much of the start of `text` as encodes to `room` bytes."""
    while (size := len(dumps(text)) - 2) > room:
        text = text[: len(text) * room // size]
    return text


def _end(text: str, room: int) -> str:
    return _start(text[::-1], room)[::-1]
