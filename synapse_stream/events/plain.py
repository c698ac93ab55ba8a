"""Anything a plugin passes, made plain JSON: the slow path of `encoding`.

Nothing here raises because of the data: what cannot be converted becomes its `repr`, cut to 1,000
characters, and an object whose `repr` raises becomes `<unrepresentable ClassName>`.

    str, int, float and subclasses        themselves; lone surrogates literal, unsafe numbers tagged
    dict, Mapping, dataclass, pydantic    object; keys become text, one that is taken gets a "~"
    list, tuple, deque, set, frozenset    array; a set in order, so that equal sets give equal bytes
    NumPy, PyTorch and like arrays        as their `tolist()`, up to 10,000 elements
    Decimal, UUID, Path, timedelta        text; date, time, datetime in ISO 8601; Enum as its value
    bytes                                 text when it is UTF-8, else its `repr`
    exception                             "ValueError: message"

Foreign types are told by what they can do: neither NumPy nor PyTorch nor pydantic is imported.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from types import NoneType
from typing import Any

from synapse_stream.events.tags import escape, tag_float, tag_int

MAX_DEPTH = (
    200  # orjson writes 254 levels; the event around the value and the tags in it need a few
)
MAX_REPR = 1000
MAX_ELEMENTS = 10_000
MAX_VALUES = 131_072
"""Values visited per call. Each takes at least two bytes, so an event of 256 KiB holds no more."""

_CUT = f"<cut: more than {MAX_VALUES} values>"


class _Unordered(list[Any]):
    """Members of a set, to be put in order once they are plain."""


def plain(value: Any) -> Any:
    """Return `value` as exact str, int, float, bool, None, list and dict that orjson can write."""
    if type(value) in _EXACT:
        return _scalar(value)
    holder = [value]
    _Walk().convert_items(holder, 0)
    return holder[0]


def as_text(value: Any) -> str:
    """Return a text as it is, an exception as "ValueError: message", all else as text or `repr`."""
    simple = plain(value)
    return simple if isinstance(simple, str) else describe(value)


def describe(value: Any) -> str:
    """Return the `repr` of `value`, cut and marked when long, whatever it does."""
    try:
        text = str.__str__(repr(value))
    except Exception:  # noqa: BLE001 - foreign code may raise anything
        return f"<unrepresentable {type(value).__name__}>"
    return text if len(text) <= MAX_REPR else f"{text[:MAX_REPR]}… <cut: {len(text)} characters>"


def clean(text: str) -> str:
    r"""Return `text` with lone surrogates, which UTF-8 cannot hold, written out (`\udc80`)."""
    text = str.__str__(text)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


class _Walk:
    """One walk over one value: the containers it is inside of, and how many values are left."""

    __slots__ = ("_inside", "_left")

    def __init__(self) -> None:
        self._inside: set[int] = set()
        self._left = MAX_VALUES

    def _convert(self, value: Any, depth: int) -> Any:
        simple = self.simplify(value)
        if not isinstance(simple, (dict, list)):
            return _scalar(simple)
        if id(value) in self._inside:
            return f"<cycle: {type(value).__name__}>"
        if depth >= MAX_DEPTH:
            return f"<cut: {type(value).__name__} deeper than {MAX_DEPTH} levels>"
        self._inside.add(id(value))
        self.convert_items(simple, depth + 1)
        self._inside.discard(id(value))
        return _finish(simple)

    def convert_items(self, simple: Any, depth: int) -> None:
        """Replace the items of a dict or list by plain ones, all at `depth`."""
        keyed = simple.items() if isinstance(simple, dict) else enumerate(simple)
        for key, item in keyed:
            try:
                exact = type(item) in _EXACT
                simple[key] = _scalar(item) if exact else self._convert(item, depth)
            except RecursionError:  # a plugin may report with most of its stack used up
                simple[key] = f"<cut: {type(item).__name__}, the recursion limit is reached>"

    def simplify(self, value: Any) -> Any:
        """Take one step: to a JSON scalar, or to a fresh dict or list of unconverted items."""
        try:
            if isinstance(value, Enum):  # first, because an IntEnum is an int as well
                return self.simplify(value.value)
            for base in type(value).__mro__:
                if base in _SCALARS:
                    return _SCALARS[base](value)
                if base in _CONTAINERS:
                    return _CONTAINERS[base](self, value)
            return str(value) if _is_uuid(value) else self._by_ability(value)
        except RecursionError:
            raise  # whoever has room on the stack describes it
        except Exception:  # noqa: BLE001 - foreign code may raise anything
            return describe(value)

    def _by_ability(self, value: Any) -> Any:
        kind = type(value)
        if is_dataclass(kind):
            return self.pairs((field.name, getattr(value, field.name)) for field in fields(kind))
        if hasattr(kind, "model_dump"):
            return self.simplify(value.model_dump(warnings=False))
        if hasattr(kind, "tolist"):
            return self._array(value)
        if isinstance(value, Mapping):
            return self.pairs(value.items())
        if isinstance(value, Set):
            return _Unordered(self.items(value))
        return describe(value)

    def _array(self, value: Any) -> Any:
        size = value.numel() if hasattr(value, "numel") else value.size
        if size > MAX_ELEMENTS:
            return describe(value)
        if getattr(value.dtype, "kind", "") in {
            "m",
            "M",
        }:  # nanoseconds would come as bare integers
            value = value.astype(str)
        listed = value.tolist()
        return describe(value) if type(listed) is type(value) else self.simplify(listed)

    def items(self, values: Iterable[Any]) -> list[Any]:
        """Copy `values` into a list, as many as may still be visited."""
        taken = list(islice(values, self._left + 1))
        if len(taken) > self._left:
            taken[self._left :] = [_CUT]
        self._left = max(0, self._left - len(taken))
        return taken

    def pairs(self, values: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        """Copy key-value pairs into a dict with text keys, as many as may still be visited."""
        taken: dict[str, Any] = {}
        for pair in self.items(values):
            key, item = ("<cut>", pair) if pair is _CUT else pair
            name = _key_text(key)
            while name in taken:
                name += "~"
            taken[name] = item
        return taken


def _scalar(simple: Any) -> Any:
    if isinstance(simple, str):
        return clean(simple)
    if isinstance(simple, float):
        return tag_float(float.__float__(simple))
    if simple is None or isinstance(simple, bool):
        return simple
    return tag_int(int.__int__(simple))


def _key_text(key: Any) -> str:
    if isinstance(key, str) and not isinstance(key, Enum):
        return clean(key)
    simple = _Walk().simplify(key)
    if isinstance(simple, str):
        return clean(simple)
    return describe(key if isinstance(simple, (list, dict)) else simple)


def _finish(converted: dict[str, Any] | list[Any]) -> Any:
    if isinstance(converted, dict):
        return escape(converted)
    if not isinstance(converted, _Unordered):
        return converted
    try:
        return sorted(converted)
    except TypeError:  # mixed types: any fixed order will do
        from orjson import dumps  # noqa: PLC0415 - encoding brings it, an import of ours need not

        return sorted(converted, key=dumps)


def _bytes_text(value: Any) -> str:
    data = bytes(value)
    try:
        return data.decode()
    except UnicodeDecodeError:
        if len(data) <= MAX_REPR:
            return repr(data)
        return f"{data[:MAX_REPR]!r}… <cut: {len(data)} bytes>"


def _exception_text(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _itself(value: Any) -> Any:
    return value


_EXACT = frozenset({str, int, float, bool, NoneType})
_SCALARS: dict[type, Callable[[Any], Any]] = {
    str: _itself,
    int: _itself,
    float: _itself,
    NoneType: _itself,
    bytes: _bytes_text,
    bytearray: _bytes_text,
    memoryview: _bytes_text,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: str,
    Decimal: str,
    PurePath: str,
    BaseException: _exception_text,
}


def _is_uuid(value: Any) -> bool:
    module = sys.modules.get("uuid")  # who has one has imported it
    return module is not None and isinstance(value, module.UUID)


# The base class's own iterators: a subclass's are foreign code, which orjson ignores as well.
def _pairs_of(walk: _Walk, value: Any) -> dict[str, Any]:
    """Copy a dict that other threads may change meanwhile.

    Making pairs may start the garbage collector, and with it code that lets others run; copying a
    dict as a whole does not. One with more than is visited is not copied.
    """
    size = dict.__len__(value)
    return walk.pairs(dict.items(dict.copy(value) if size <= MAX_VALUES else value))


_CONTAINERS: dict[type, Callable[[_Walk, Any], Any]] = {
    dict: _pairs_of,
    list: lambda walk, value: walk.items(list.__iter__(value)),
    tuple: lambda walk, value: walk.items(tuple.__iter__(value)),
    deque: lambda walk, value: walk.items(deque.__iter__(value)),
    set: lambda walk, value: _Unordered(walk.items(set.__iter__(value))),
    frozenset: lambda walk, value: _Unordered(walk.items(frozenset.__iter__(value))),
}
