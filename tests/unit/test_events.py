from __future__ import annotations

import json
import subprocess
import sys
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from synapse_stream.errors import DecodeError
from synapse_stream.events.encoding import encode
from synapse_stream.events.types import (
    EVENT_TYPES,
    DevEvent,
    End,
    Heartbeat,
    Metrics,
    Progress,
    Undecodable,
    UnknownEvent,
    dump,
    json_schema,
    parse,
)
from synapse_stream.models import RunStatus

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = ROOT / "docs" / "events.schema.json"

BIG = {"k": "x" * 300_000}
EXAMPLES: list[tuple[str, str | None, dict[str, Any]]] = [
    (
        "run_started",
        None,
        {"host": "h", "pid": 1, "rank": 0, "attempt": None, "params": {"p": nan}},
    ),
    ("progress", "s", {"current": 1, "total": 2.5}),
    ("progress", None, {"failed": True, "error": "e"}),
    ("metrics", "s", {"values": {"a": 1, "b": nan, "c": -inf}, "x": inf}),
    ("metrics", None, {"values": {}}),
    ("message", None, {"content": "c", "level": "danger", "template": {"en": "c"}, "params": {}}),
    ("dev_event", None, {"message": "m"}),
    ("dev_event", None, {"message": "m", "data": [2**70, {"$int": 1}, None]}),
    ("log", "s", {"event": "e", "data": {"a": nan}, "file": "/f", "level": "debug"}),
    ("log", None, {"event": "e", "data": BIG, "level": "info"}),
    ("action", None, {"name": "a", "status": "skipped", "error": None}),
    ("heartbeat", None, {}),
    ("producer_lost", None, {"host": "h", "pid": 1, "rank": None, "last": -1, "reason": "r"}),
    ("loss", None, {"counts": {"log": 2}, "first": 3, "last": 4, "reason": "r"}),
    ("loss", None, {"counts": {}, "first": None, "last": None, "reason": "r"}),
    ("end", None, {"status": None, "error": None, "result": None, "count": 1, "rank": 0}),
    ("end", None, {"status": "failed", "error": "e", "result": {"a": inf}, "count": 2, "rank": 1}),
    (
        "end",
        None,
        {
            "status": "completed",
            "count": 1,
            "children": [{"producer": "p", "pid": 1}],
            "child_count": 2,
            "signal": "SIGTERM",
        },
    ),
    ("producer_lost", None, {"last": 3, "reason": "r", "children": [], "child_count": 0}),
    ("loss", None, {"counts": {}, "reason": "r", "uncounted": True}),
    ("plan", None, {"steps": {"load": 1, "train": 20.5, "check": None}}),
    ("dev_event", None, {"message": "m", "data": {"loss": None}, "rejected": 1}),
    ("joined", None, {"parent": "p", "host": "h", "pid": 1}),
    ("joined", None, {"parent": None}),
    ("resumed", None, {"producer": "p", "last": -1, "rank": None, "reason": "r"}),
    (
        "resumed",
        None,
        {"producer": "p", "last": 7, "host": "h", "pid": 1, "rank": 0, "reason": "r"},
    ),
    ("terminating", None, {"signal": "SIGTERM"}),
    ("act", None, {"act": "rebuild", "id": "1f", "by": "ada", "jobs": ["j"], "before": {"a": nan}}),
    (
        "signed_off",
        None,
        {"name": "a", "meaning": "m", "entries": 2, "root": "", "key": "", "signature": ""},
    ),
    ("outcome", None, {"id": "1f", "outcome": "failed", "error": "e", "after": {}}),
]


def lines(kind: str, step: str | None, fields: dict[str, Any]) -> list[bytes]:
    return [b'{"seq":3,"time":5,' + body for body in encode(kind, step, fields)]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("kind", "step", "fields"), EXAMPLES)
def test_an_encoded_event_is_read_written_and_valid(
    validator: Draft202012Validator, kind: str, step: str | None, fields: dict[str, Any]
) -> None:
    for line in lines(kind, step, fields):
        event = parse(line)
        assert type(event) is EVENT_TYPES[kind]
        assert (event.seq, event.time, event.step) == (3, 5, step)
        assert event.model_extra == {}
        assert orjson.loads(dump(event)) == orjson.loads(line)
        assert parse(dump(event)) == event
        validator.validate(orjson.loads(line))


def test_the_examples_show_every_type() -> None:
    assert {kind for kind, _, _ in EXAMPLES} == set(EVENT_TYPES)


def test_values_come_back_as_python_holds_them() -> None:
    (line,) = lines("metrics", None, {"values": {"a": nan, "b": -inf, "c": 2}, "x": inf})
    metrics = parse(line)
    assert isinstance(metrics, Metrics)
    assert isnan(metrics.values["a"])
    assert (metrics.values["b"], metrics.values["c"], metrics.x) == (-inf, 2, inf)
    (line,) = lines("dev_event", None, {"message": "m", "data": [2**70, inf, {"$float": "NaN"}]})
    dev_event = parse(line)
    assert isinstance(dev_event, DevEvent)
    assert dev_event.data == [2**70, inf, {"$float": "NaN"}]


def test_an_event_can_be_read_from_an_object() -> None:
    (line,) = lines("end", None, {"status": "completed", "count": 1})
    event = parse(orjson.loads(line))
    assert isinstance(event, End)
    assert event.status is RunStatus.COMPLETED
    assert event == parse(line)


def test_the_end_is_read_with_its_count_in_front_as_the_spool_writes_it() -> None:
    (body,) = encode("end", None, {"status": None, "rank": 0})
    event = parse(b'{"seq":6,"time":5,"count":7,' + body)
    assert isinstance(event, End)
    assert (event.status, event.count) == (None, 7)


def test_an_event_cannot_be_changed() -> None:
    event = Heartbeat(seq=0, time=0)
    with pytest.raises(ValidationError, match="frozen"):
        event.seq = 1


def test_an_event_made_here_is_written_with_type_and_version() -> None:
    assert dump(Progress(seq=1, time=2, current=1, total=2)) == (
        b'{"seq":1,"time":2,"type":"progress","v":1,"current":1,"total":2}'
    )


UNKNOWN = [
    b'{"seq":1,"time":2,"type":"artifact","v":3,"step":["a"],"values":{"a":"x"},"$int":{"$int":"1"}}',
    b'{"seq":1,"time":2,"type":"metrics","v":2,"values":{"a":[1,2]},"unit":"m","step":null}',
    b'{"seq":1,"time":2,"type":"undecodable","v":1,"raw":5,"model_config":1,"json":2,"copy":3}',
    b'{"seq":1,"time":2,"type":"x","v":1,"n":123456789012345678901234567890,"s":"\xc3\xa9"}',
    b'{"seq":1,"time":2,"type":"x","v":1,"d":' + b"[" * 400 + b"]" * 400 + b"}",
]


@pytest.mark.parametrize("line", UNKNOWN)
def test_an_unknown_type_or_newer_version_is_kept_whole(line: bytes) -> None:
    event = parse(line)
    assert type(event) is UnknownEvent
    assert json.loads(dump(event)) == json.loads(line)
    assert parse(dump(event)) == event


def test_unknown_fields_of_a_known_type_are_kept_as_they_are() -> None:
    line = (
        b'{"seq":1,"time":2,"type":"progress","v":1,"current":1,"total":2,'
        b'"eta":{"$float":"NaN"},"tag":{"$int":5}}'
    )
    event = parse(line)
    assert type(event) is Progress
    assert event.model_extra == {"eta": {"$float": "NaN"}, "tag": {"$int": 5}}
    assert dump(event) == line


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"", "no JSON"),
        (b'{"seq":1', "no JSON"),
        (b'{"seq":1,"time":2,"type":"x","v":1,"s":"\xff"}', "no JSON"),
        (b"[1]", "no JSON object"),
        (b"[" * 2000, "no JSON"),
        (b'{"seq":7,"time":2,"v":1}', "event 7 of type None is damaged: type: Field required"),
        (
            b'{"seq":7,"time":2,"type":"end","status":null,"count":1}',
            "'end' is damaged: v: Field",
        ),
        (
            b'{"seq":7,"time":2,"type":"heartbeat","v":0}',
            "type 'heartbeat' is damaged: v=0",
        ),
        (b'{"seq":7,"time":2,"type":"heartbeat","v":true}', "v=True"),
        (b'{"seq":-1,"time":2,"type":"heartbeat","v":1}', "event -1 of type 'heartbeat'.*seq=-1"),
        (b'{"seq":"7","time":2,"type":"heartbeat","v":1}', "seq='7'"),
        (b'{"seq":7,"time":2.5,"type":"heartbeat","v":1}', "time=2.5"),
        (b'{"seq":7,"time":2,"type":["x"],"v":1}', "type=\\['x'\\]"),
        (b'{"seq":7,"time":2,"type":"metrics","v":1,"values":{"loss":"x"}}', "values.loss='x'"),
        (b'{"seq":7,"time":2,"type":"metrics","v":1,"values":{"loss":true}}', "values.loss=True"),
        (b'{"seq":7,"time":2,"type":"metrics","v":1,"values":[]}', "values=\\[\\]"),
        (b'{"seq":7,"time":2,"type":"progress","v":1,"current":1}', "current and total"),
        (b'{"seq":7,"time":2,"type":"message","v":1,"content":"c","level":"loud"}', "level='loud'"),
        (b'{"seq":7,"time":2,"type":"log","v":1,"event":"e","data":[]}', "data=\\[\\]"),
        (b'{"seq":7,"time":2,"type":"end","v":1,"count":1}', "status: Field required"),
        (b'{"seq":7,"time":2,"type":"end","v":1,"status":"x","count":1}', "status='x'"),
    ],
)
def test_a_damaged_line_is_a_decode_error_that_names_the_place(line: bytes, named: str) -> None:
    with pytest.raises(DecodeError, match=named):
        parse(line)


def test_an_undecodable_line_is_written_as_it_came() -> None:
    assert dump(Undecodable(raw=b"\xff{", reason="no JSON")) == b"\xff{"


def test_the_committed_schema_is_that_of_the_models() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "synapse_stream.events.types"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert printed.stdout.decode() == SCHEMA_FILE.read_text(encoding="utf-8")
    assert json.loads(printed.stdout) == json_schema()


def test_the_schema_is_a_valid_one() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert len(json_schema()["oneOf"]) == len(EVENT_TYPES)


@pytest.mark.parametrize(
    "line",
    [
        b'{"seq":1,"time":2,"type":"heartbeat"}',
        b'{"seq":1,"time":2,"v":1}',
        b'{"seq":-1,"time":2,"type":"heartbeat","v":1}',
        b'{"seq":1,"time":2,"type":"metrics","v":1,"values":{"a":"x"}}',
        b'{"seq":1,"time":2,"type":"end","v":1,"status":"x","count":1}',
        b'{"seq":1,"time":2,"type":"progress","v":1}',
    ],
)
def test_the_schema_refuses_what_the_models_refuse(
    validator: Draft202012Validator, line: bytes
) -> None:
    assert not validator.is_valid(orjson.loads(line))
    with pytest.raises(DecodeError):
        parse(line)
