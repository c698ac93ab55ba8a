from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from math import inf, nan
from typing import Any
from uuid import UUID

import orjson
import pytest

from synapse_stream.events.encoding import (
    MAX_EVENT_BYTES,
    VERSIONS,
    encode,
    encode_plainest_metrics,
)
from synapse_stream.events.types import EVENT_TYPES, DevEvent, Event, parse


class Mood(StrEnum):
    GOOD = "good"


def line(body: bytes) -> dict[str, Any]:
    loaded = orjson.loads(b'{"seq":0,"time":0,' + body)
    assert isinstance(loaded, dict)
    return loaded


def events_of(bodies: tuple[bytes, ...]) -> list[Event]:
    return [parse(b'{"seq":0,"time":0,' + body) for body in bodies]


def test_a_body_is_the_line_without_its_beginning() -> None:
    body = encode("metrics", "training", {"values": {"loss": 0.5}})
    assert body == (b'"type":"metrics","v":1,"step":"training","values":{"loss":0.5}}',)


def test_a_step_that_is_none_is_left_out() -> None:
    assert encode("heartbeat", None, {}) == (b'"type":"heartbeat","v":1}',)


def test_the_versions_written_are_those_of_the_models() -> None:
    models = {name: model.model_fields["v"].default for name, model in EVENT_TYPES.items()}
    assert models == VERSIONS


def test_an_unknown_type_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError, match="metrix"):
        encode("metrix", None, {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (nan, "NaN"), (inf, "Infinity"), (-inf, "-Infinity"), (2**53 - 1, 2**53 - 1),
        (2**53, 2.0**53), (2**53 + 1, 2.0**53), (10**400, "Infinity"), (-(10**400), "-Infinity"),
    ],
)  # fmt: skip
def test_a_metric_is_a_number_or_the_name_of_one(value: float, expected: float | str) -> None:
    (body,) = encode("metrics", None, {"values": {"m": value, "other": 1}, "x": value})
    assert line(body)["values"] == {"m": expected, "other": 1}
    assert line(body)["x"] == expected


@pytest.mark.parametrize("number", [nan, inf, -inf])
def test_metrics_that_are_no_finite_numbers_are_none_of_the_plainest(number: float) -> None:
    assert encode_plainest_metrics({"m": 1.5, "other": number}, "fit") is None
    assert encode_plainest_metrics({"m": 1.5, "other": 1}, "fit") is not None


def test_metric_names_are_not_mistaken_for_tags() -> None:
    (body,) = encode("metrics", "$step", {"values": {"$float": nan}})
    assert line(body)["values"] == {"$float": "NaN"}


def test_both_paths_give_the_same_bytes() -> None:
    value = {"a": [1, 2.5, "é", True, Mood.GOOD, {"b": {}}], "u": UUID(int=5), "t": (1,)}
    (fast,) = encode("dev_event", "s", {"message": "m", "data": value})
    (careful,) = encode("dev_event", "s", {"message": "m", "data": {**value, "n": None}})
    assert careful == fast[:-2] + b',"n":null}}'


def test_no_raw_newline_or_nul_is_written() -> None:
    (body,) = encode("log", "a\n\0", {"event": "a\r\n\0", "data": {"\n": "\0", "n": nan}})
    assert b"\n" not in body
    assert b"\0" not in body


def test_an_event_of_exactly_the_limit_is_not_cut() -> None:
    empty = len(encode("dev_event", None, {"message": ""})[0])
    (whole,) = encode("dev_event", None, {"message": "x" * (MAX_EVENT_BYTES - empty)})
    (cut,) = encode("dev_event", None, {"message": "x" * (MAX_EVENT_BYTES - empty + 1)})
    assert len(whole) == MAX_EVENT_BYTES
    assert "truncated" not in line(whole)
    assert "truncated" in line(cut)


@pytest.mark.parametrize("unit", ["x", "é", "\0", "😀", '"', "\ud800"])
def test_a_long_text_keeps_head_and_tail(unit: str) -> None:
    text = "BEGIN" + unit * 10_000_000 + "END"
    (body,) = encode("message", None, {"content": text, "level": "info"})
    content = line(body)["content"]
    assert MAX_EVENT_BYTES * 0.95 < len(body) <= MAX_EVENT_BYTES
    assert content.startswith("BEGIN")
    assert content.endswith("END")
    assert " characters> …" in content
    assert line(body)["level"] == "info"


def test_a_cut_event_tells_field_size_and_digest_of_the_original() -> None:
    data = {"a": ["x" * 1000] * 1000, "b": 1}
    (body,) = encode("log", "s", {"event": "e", "data": data})
    original = orjson.dumps({"type": "log", "v": 1, "step": "s", "event": "e", "data": data})[1:]
    event = line(body)
    assert event["truncated"] == {
        "field": "data", "size": len(original), "sha256": sha256(original).hexdigest()
    }  # fmt: skip
    assert orjson.dumps(data).decode().startswith(event["data"]["head"])
    assert orjson.dumps(data).decode().endswith(event["data"]["tail"])
    assert MAX_EVENT_BYTES * 0.8 < len(body) <= MAX_EVENT_BYTES


def test_several_large_fields_share_the_room_and_small_ones_stay_whole() -> None:
    fields = {"content": "é" * 300_000, "level": "info", "params": {"p": "y" * 400_000}}
    (body,) = encode("message", None, fields)
    event = line(body)
    assert event["truncated"]["field"] == "content,params"
    assert event["level"] == "info"
    assert len(event["params"]["head"]) > 50_000
    assert len(event["content"].encode()) > 100_000


def test_cut_events_of_every_type_with_free_fields_can_be_read() -> None:
    big = {"k": ["\ud800" * 300_000, nan]}
    bodies = (
        *encode("log", None, {"event": "e", "data": big}),
        *encode("dev_event", None, {"message": "m" * 10**6, "data": big}),
        *encode("message", None, {"content": "c", "template": {"en": "t" * 10**6}, "params": big}),
        *encode("end", None, {"status": "failed", "error": "e" * 10**6, "result": big, "count": 1}),
        *encode(
            "run_started", None, {"host": "h", "pid": 1, "rank": 0, "params": big, "labels": big}
        ),
    )
    assert all(event.truncated is not None for event in events_of(bodies))


def test_metrics_over_the_limit_are_split_and_nothing_is_lost() -> None:
    values: dict[str, float] = {f"metric number {n}": n / 7 for n in range(50_000)}
    values["not a number"] = nan
    bodies = encode("metrics", "s", {"values": values, "x": 3})
    lines = [line(body) for body in bodies]
    merged = {name: value for each in lines for name, value in each["values"].items()}
    assert len(bodies) > 5
    assert max(map(len, bodies)) <= MAX_EVENT_BYTES
    assert merged == {**values, "not a number": "NaN"}
    assert {(each["step"], each["x"]) for each in lines} == {("s", 3)}


def test_walking_endless_data_stops_and_says_so() -> None:
    wide: list[Any] = [Decimal(1)] * 500_000
    (body,) = encode("dev_event", None, {"message": "m", "data": {"a": wide, "b": wide}})
    assert line(body)["message"] == "m"
    assert "truncated" in line(body)
    assert "<cut: more than 131072 values>" in line(body)["data"]["tail"]


def test_more_fields_than_fit_leave_a_body_that_says_so() -> None:
    (body,) = encode("dev_event", None, {f"field {n}": "x" * 1000 for n in range(20_000)})
    assert line(body)["unencodable"].startswith("ValueError('20002 fields are more than")


@pytest.mark.parametrize("kind", ["progress", "metrics", "message", "dev_event", "log", "action"])
def test_a_report_that_cannot_be_encoded_is_an_event_that_views_take(kind: str) -> None:
    (body,) = encode(kind, "s", {f"field {n}": "x" * 1000 for n in range(20_000)})
    event = parse(b'{"seq":0,"time":0,' + body)
    assert isinstance(event, DevEvent)
    assert event.rejected == 1
    assert event.message == f"a {kind} event that cannot be encoded"
