"""Laws of the encoding: nothing is lost on the way, and nothing in the data makes it raise."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
from hypothesis import assume, example, given
from hypothesis import strategies as st

from synapse_stream.events import rules
from synapse_stream.events.encoding import MAX_EVENT_BYTES, encode, restore
from synapse_stream.events.names import storable
from synapse_stream.events.plain import plain
from synapse_stream.events.tags import nearest_float, tag
from synapse_stream.events.types import (
    DevEvent,
    End,
    Log,
    Message,
    Metrics,
    Progress,
    RunStarted,
    UnknownEvent,
    dump,
    parse,
)
from tests.property.weird import HASHABLE, JSON, KEYS, TEXT, WEIRD

MAPPINGS = st.dictionaries(KEYS, JSON, max_size=4)
STEPS = st.none() | TEXT


def lines(kind: str, step: str | None, fields: dict[str, Any]) -> list[bytes]:
    bodies = encode(kind, step, fields)
    assert all(len(body) <= MAX_EVENT_BYTES for body in bodies)
    assert all(b"\n" not in body and b"\0" not in body for body in bodies)
    return [b'{"seq":1,"time":2,' + body for body in bodies]


def is_same(left: Any, right: Any) -> bool:
    """Compare like ==, but NaN is itself, and 1, 1.0 and True differ, as do 0.0 and -0.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(is_same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, float):
        return (math.isnan(left) and math.isnan(right)) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    return bool(left == right)


def assert_read_and_written(line: bytes) -> None:
    event = parse(line)
    assert orjson.loads(dump(event)) == orjson.loads(line)
    assert parse(dump(event)) == event
    assert parse(orjson.loads(line)) == event


@given(JSON)
@example({"$float": "NaN"})
@example({"$int": {"$$int": float("nan")}})
def test_restoring_what_was_tagged_gives_the_value(value: Any) -> None:
    assert is_same(restore(tag(value)), value)
    assert is_same(plain(value), tag(value))


@given(STEPS, TEXT, JSON)
def test_dev_events_come_back(step: str | None, message: str, data: Any) -> None:
    (line,) = lines("dev_event", step, rules.dev_event(message, data))
    event = parse(line)
    assert isinstance(event, DevEvent)
    assert (event.step, event.message) == (step, message)
    assert is_same(event.data, data)
    assert_read_and_written(line)


@given(STEPS, TEXT, MAPPINGS)
def test_log_entries_come_back(step: str | None, name: str, data: dict[str, Any]) -> None:
    (line,) = lines("log", step, rules.log(name, data, "/file"))
    event = parse(line)
    assert isinstance(event, Log)
    assert (event.step, event.event, event.file) == (step, name, "/file")
    assert is_same(event.data, data)
    assert_read_and_written(line)


@given(st.dictionaries(KEYS, TEXT, min_size=1, max_size=3), MAPPINGS)
def test_messages_come_back(templates: dict[str, str], params: dict[str, Any]) -> None:
    fields = rules.message(templates, "info", params)
    (line,) = lines("message", None, fields)
    event = parse(line)
    assert isinstance(event, Message)
    assert (event.content, event.template) == (fields["content"], templates)
    assert is_same(event.params or {}, params)
    assert_read_and_written(line)


@given(MAPPINGS, MAPPINGS, JSON)
def test_params_labels_and_results_come_back(
    params: dict[str, Any], labels: dict[str, Any], result: Any
) -> None:
    start = {"host": "h", "pid": 1, "rank": 0, "params": params, "labels": labels}
    (line,) = lines("run_started", None, start)
    started = parse(line)
    assert isinstance(started, RunStarted)
    assert is_same([started.params, started.labels], [params, labels])
    assert_read_and_written(line)
    (line,) = lines("end", None, {**rules.end("completed", None, result), "count": 1})
    end = parse(line)
    assert isinstance(end, End)
    assert is_same(end.result, result)
    assert_read_and_written(line)


@given(
    STEPS, st.dictionaries(KEYS, st.floats() | st.integers(), max_size=5), st.none() | st.floats()
)
def test_metrics_come_back(step: str | None, values: dict[str, float], x: float | None) -> None:
    (line,) = lines("metrics", step, rules.metrics(values, x))
    event = parse(line)
    assert isinstance(event, Metrics)
    expected = {
        storable(name): nearest_float(value)
        if type(value) is int and abs(value) >= 2**53
        else value
        for name, value in values.items()
    }
    assert is_same(event.values, expected)
    assert is_same(event.x, x)
    assert_read_and_written(line)


@given(st.integers(0) | st.floats(0), st.integers(1) | st.floats(0, exclude_min=True))
def test_progress_comes_back(current: float, total: float) -> None:
    assume(current <= total < 10**300)
    (line,) = lines("progress", None, rules.progress(current, total))
    event = parse(line)
    assert isinstance(event, Progress)
    assert (event.current, event.total) == (float(current), float(total))
    assert_read_and_written(line)


ENVELOPE = {"seq": st.integers(0, 2**53), "time": st.integers(0, 2**53), "v": st.integers(0, 9)}
FINITE = st.floats(allow_nan=False, allow_infinity=False)
WIRE = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


@given(st.fixed_dictionaries(ENVELOPE), TEXT, st.dictionaries(KEYS, WIRE, max_size=4))
def test_unknown_events_survive(
    envelope: dict[str, Any], kind: str, fields: dict[str, Any]
) -> None:
    known = {"seq", "time", "v", "type"}
    whole = {**envelope, "type": f"new {kind}", **{k: fields[k] for k in fields.keys() - known}}
    event = parse(json.dumps(whole).encode())
    assert type(event) is UnknownEvent
    assert is_same(json.loads(dump(event)), whole)


@given(st.dictionaries(KEYS, WIRE, max_size=4))
def test_unknown_fields_of_known_events_survive(fields: dict[str, Any]) -> None:
    whole = {"seq": 1, "time": 2, "type": "heartbeat", "v": 1}
    whole |= {f"new {key}": value for key, value in tag(fields).items()}
    event = parse(orjson.dumps(whole))
    assert is_same(orjson.loads(dump(event)), whole)


@given(st.text(), WEIRD)
def test_no_data_makes_a_report_raise_or_unreadable(text: str, data: Any) -> None:
    (dev_event,) = lines("dev_event", text, rules.dev_event(text, data))
    (log,) = lines("log", text, rules.log(text, {text: data}))
    (message,) = lines("message", text, rules.message(text, "info", {"data": data}))
    (failed,) = lines("progress", text, rules.progress_failed(data))
    (end,) = lines("end", None, {**rules.end("failed", data, data), "count": 1})
    for line in (dev_event, log, message, failed, end):
        assert "unencodable" not in (parse(line).model_extra or {})
        assert_read_and_written(line)


@given(st.dictionaries(HASHABLE, WEIRD, max_size=3))
def test_metrics_are_accepted_or_a_type_error(values: dict[Any, Any]) -> None:
    try:
        fields = rules.metrics(values)
    except TypeError:
        return
    (line,) = lines("metrics", None, fields)
    assert_read_and_written(line)


@given(WEIRD, WEIRD)
def test_nothing_but_type_and_value_errors_comes_from_the_rules(one: Any, two: Any) -> None:
    for check, arguments in (
        (rules.progress, (one, two)),
        (rules.log, ("e", {}, one, two)),
        (rules.message, (one, two, {})),
        (rules.end, (one, two)),
        (rules.step_name, (one,)),
    ):
        try:
            fields = check(*arguments)
        except (TypeError, ValueError):
            continue
        assert fields is None or isinstance(fields, (dict, str))
