from __future__ import annotations

import gc
import sys
import threading
from collections import OrderedDict, UserDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from itertools import count
from math import inf, nan
from pathlib import Path, PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pytest
from pydantic import BaseModel, SecretStr

from synapse_stream.events.encoding import MAX_EVENT_BYTES, encode, restore


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


def test_a_dict_that_changes_while_garbage_is_collected_does_no_harm() -> None:
    shared: dict[str, Any] = {f"k{n}": Decimal(n) for n in range(1_000)}
    thresholds = gc.get_threshold()

    def change(*_: Any) -> None:
        shared[f"new{len(shared)}"] = None

    gc.callbacks.append(change)
    gc.set_threshold(10)
    try:
        seen = data_of(shared)
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(change)
    assert len(shared) > 1_000
    assert {key: seen[key] for key in ("k0", "k999")} == {"k0": "0", "k999": "999"}


class Hostile(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise OSError("no item")

    def __iter__(self) -> Any:
        raise OSError("no keys")

    def __len__(self) -> int:
        raise OSError("no length")


class Endless(UserDict[str, Any]):
    def items(self) -> Any:
        return ((f"k{n}", n) for n in count())


class BadClass:
    __class__ = property(lambda self: 1 / 0)


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


def test_a_mapping_without_end_is_cut() -> None:
    (body,) = encode("dev_event", None, {"message": "m", "data": Endless()})
    assert line(body)["data"]["head"].startswith('{"k0":0,"k1":1,')
    assert line(body)["data"]["tail"].endswith('"<cut>":"<cut: more than 131072 values>"}')


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
