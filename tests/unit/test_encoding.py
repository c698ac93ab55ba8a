from __future__ import annotations

import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from hashlib import sha256
from math import inf, nan
from pathlib import Path, PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pytest
from pydantic import BaseModel, SecretStr

from synapse_stream.encoding import MAX_EVENT_BYTES, VERSIONS, encode, restore
from synapse_stream.events import EVENT_TYPES, Event, parse


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Mood(StrEnum):
    GOOD = "good"


@dataclass
class Point:
    x: float
    _y: float
    child: Any = None


class Params(BaseModel):
    path: Path
    limit: float
    password: SecretStr = SecretStr("hidden")


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Tensor:
    """What of a PyTorch tensor is used: no `size` number, a dtype without kind."""

    dtype = SimpleNamespace()

    def __init__(self, values: Any) -> None:
        self.values = values

    def size(self) -> tuple[int, ...]:
        return (self.numel(),)

    def numel(self) -> int:
        return len(self.values) if isinstance(self.values, list) else 1

    def tolist(self) -> Any:
        return self.values

    def __repr__(self) -> str:
        return f"tensor of {self.numel()}"


def line(body: bytes) -> dict[str, Any]:
    loaded = orjson.loads(b'{"seq":0,"time":0,' + body)
    assert isinstance(loaded, dict)
    return loaded


def data_of(value: Any) -> Any:
    """Encode `value` as the data of a dev event, and return what JSON holds of it."""
    (body,) = encode("dev_event", None, {"message": "m", "data": {"it": value}})
    assert len(body) <= MAX_EVENT_BYTES
    return line(body)["data"]["it"]


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


def test_metric_names_are_not_mistaken_for_tags() -> None:
    (body,) = encode("metrics", "$step", {"values": {"$float": nan}})
    assert line(body)["values"] == {"$float": "NaN"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (nan, {"$float": "NaN"}),
        (-inf, {"$float": "-Infinity"}),
        (2**53 - 1, 2**53 - 1),
        (2**53 + 1, {"$int": "9007199254740993"}),
        (-(2**70), {"$int": str(-(2**70))}),
        ({"$float": 1}, {"$$float": 1}),
        ({"$$int": 1}, {"$$$int": 1}),
        ({"$float": 1, "b": 2}, {"$float": 1, "b": 2}),
        ({"$ref": 1}, {"$ref": 1}),
    ],
)
def test_free_data_is_tagged_where_json_cannot_hold_it(value: Any, expected: Any) -> None:
    assert data_of(value) == expected


def test_an_integer_too_long_for_decimal_conversion_comes_back() -> None:
    assert restore(data_of(10**5000)) == 10**5000


@pytest.mark.parametrize("tag", [{"$int": "x"}, {"$int": 5}, {"$float": "1.5"}, {"$float": None}])
def test_what_only_looks_like_a_tag_is_kept(tag: dict[str, Any]) -> None:
    assert restore([tag]) == [tag]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.10"), "0.10"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4, tzinfo=UTC), "03:04:00+00:00"),
        (timedelta(seconds=90), "0:01:30"),
        (PurePosixPath("/data/m.pt"), "/data/m.pt"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        (Size.BIG, 3),
        (Mood.GOOD, "good"),
        (Point(1.0, 2.0, Colour.RED), {"x": 1.0, "_y": 2.0, "child": "red"}),
        (
            Params(path=Path("/p"), limit=inf),
            {
                "path": "/p",
                "limit": {"$float": "Infinity"},
                "password": "SecretStr('**********')",
            },
        ),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", 1, "a"}), ["a", "b", 1]),
        ({"a": 1}.keys(), ["a"]),
        ((1, (2,)), [1, [2]]),
        (deque([1]), [1]),
        (b"text", "text"),
        (b"\xff\xfe", "b'\\xff\\xfe'"),
        (bytearray(b"x"), "x"),
        (memoryview(b"x"), "x"),
        (ValueError("bad"), "ValueError: bad"),
        (KeyError(), "KeyError"),
        (MappingProxyType({"a": Decimal(1)}), {"a": "1"}),
        (OrderedDict(a=1), {"a": 1}),
        (1 + 2j, "(1+2j)"),
        (int, "<class 'int'>"),
        (Point, f"<class '{__name__}.Point'>"),
        ("half \ud800", "half \\ud800"),
        (Mute(), "<unrepresentable Mute>"),
    ],
)
def test_python_values_become_plain_json(value: Any, expected: Any) -> None:
    assert data_of(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64("nan"), {"$float": "NaN"}),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.0, np.inf]), [1.0, {"$float": "Infinity"}]),
        (np.array(5), 5),
        (np.datetime64("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05.123456789"),
        (np.longdouble(1), "np.longdouble('1.0')"),
        (Tensor(0.25), 0.25),
        (Tensor([1.0, 2.0]), [1.0, 2.0]),
        (Tensor([0] * 10_001), "tensor of 10001"),
    ],
)
def test_arrays_and_their_scalars_become_plain_json(value: Any, expected: Any) -> None:
    assert data_of(value) == expected


def test_a_large_array_is_described_and_not_listed() -> None:
    assert str(data_of(np.zeros(1_000_000))).startswith("array([0., 0., 0., ..., ")


def test_keys_become_texts_and_none_is_lost() -> None:
    value = {
        1: "a",
        "1": "b",
        None: "c",
        Colour.RED: "d",
        (1, 2): "e",
        Mute(): "f",
        date(2026, 1, 2): "g",
    }
    assert data_of(value) == {
        "1": "a", "1~": "b", "None": "c", "red": "d", "(1, 2)": "e",
        "<unrepresentable Mute>": "f", "2026-01-02": "g",
    }  # fmt: skip


def test_both_paths_give_the_same_bytes() -> None:
    value = {"a": [1, 2.5, "é", True, Mood.GOOD, {"b": {}}], "u": UUID(int=5), "t": (1,)}
    (fast,) = encode("dev_event", "s", {"message": "m", "data": value})
    (careful,) = encode("dev_event", "s", {"message": "m", "data": {**value, "n": None}})
    assert careful == fast[:-2] + b',"n":null}}'


def test_a_long_repr_is_cut_and_marked() -> None:
    class Long:
        def __repr__(self) -> str:
            return "x" * 5000

    assert data_of(Long()) == "x" * 1000 + "… <cut: 5000 characters>"
    assert data_of(b"\xff" * 5000).endswith("'… <cut: 5000 bytes>")


def test_cycles_are_named_and_repetitions_are_not() -> None:
    cyclic: list[Any] = [1]
    cyclic.append(cyclic)
    shared = {"a": 1}
    assert data_of(cyclic) == [1, "<cycle: list>"]
    assert data_of([shared, shared, None]) == [shared, shared, None]


def test_a_cycle_through_an_object_is_found() -> None:
    point = Point(1.0, 2.0)
    point.child = [point]
    assert data_of(point) == {"x": 1.0, "_y": 2.0, "child": ["<cycle: Point>"]}


def test_deep_nesting_is_cut_at_two_hundred_levels() -> None:
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    (body,) = encode("dev_event", None, {"message": "m", "data": deep})
    assert body.count(b"[") == 200
    assert b"<cut: list deeper than 200 levels>" in body


def test_a_nearly_used_up_stack_costs_only_the_inner_levels() -> None:
    deep: Any = Decimal(1)
    for _ in range(150):
        deep = {"k": deep}

    def at_depth(levels: int) -> tuple[bytes, ...]:
        if levels:
            return at_depth(levels - 1)
        return encode("dev_event", None, {"message": "kept", "data": deep})

    frame, used = sys._getframe(), 0
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    (body,) = at_depth(sys.getrecursionlimit() - used - 60)
    assert line(body)["message"] == "kept"
    assert b"the recursion limit is reached" in body


class ShrinkingRepr:
    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __repr__(self) -> str:
        self.owner.clear()
        return "shrunk"


def test_an_object_that_empties_its_container_does_no_harm() -> None:
    mapping: dict[str, Any] = {}
    mapping.update({f"k{n}": ShrinkingRepr(mapping) for n in range(100)})
    items: list[Any] = []
    items.extend(ShrinkingRepr(items) for _ in range(100))
    assert data_of(mapping) == dict.fromkeys((f"k{n}" for n in range(100)), "shrunk")
    assert data_of(items) == ["shrunk"] * 100


def test_a_dict_that_another_thread_changes_does_no_harm() -> None:
    shared: dict[str, Any] = {"a": Decimal(1)}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for n in range(50):
                shared[f"k{n}"] = Decimal(n)
            for n in range(50):
                del shared[f"k{n}"]

    thread = threading.Thread(target=change)
    thread.start()
    try:
        seen = [data_of(shared) for _ in range(300)]
    finally:
        stop.set()
        thread.join()
    assert all(value["a"] == "1" for value in seen)


class Hostile(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise OSError("no item")

    def __iter__(self) -> Any:
        raise OSError("no keys")

    def __len__(self) -> int:
        raise OSError("no length")


class BadClass:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise ValueError("no class")


class BadArray:
    size = property(lambda self: 1 / 0)
    dtype = np.dtype("f8")

    def tolist(self) -> Any:
        return self


class EndlessDump:
    def model_dump(self, **options: Any) -> Any:
        return EndlessDump()


@dataclass
class HalfMade:
    value: int = field(init=False)


@pytest.mark.parametrize("kind", [Hostile, BadClass, BadArray, EndlessDump, HalfMade])
def test_what_cannot_be_walked_is_described(kind: type) -> None:
    assert kind.__name__ in data_of(kind())


def test_generators_are_described_and_not_consumed() -> None:
    generator = (n for n in range(3))
    assert data_of(generator).startswith("<generator object")
    assert list(generator) == [0, 1, 2]


def test_subclasses_are_written_as_their_base() -> None:
    class Text(str):
        __slots__ = ()

    class Whole(int):
        pass

    class Real(float):
        pass

    class Table(dict[str, Any]):
        pass

    class Row(list[Any]):
        pass

    value = [Text("t"), Whole(1), Real(1.5), Table(a=None), Row([Real(nan)])]
    assert data_of(value) == ["t", 1, 1.5, {"a": None}, [{"$float": "NaN"}]]


def test_a_lone_surrogate_anywhere_is_made_literal() -> None:
    (body,) = encode("log", "s\udcff", {"event": "\udcff", "data": {"k\udcff": "\udcff"}})
    assert line(body) == {
        "seq": 0, "time": 0, "type": "log", "v": 1, "step": "s\\udcff",
        "event": "\\udcff", "data": {"k\\udcff": "\\udcff"},
    }  # fmt: skip


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
