"""Data for laws: what JSON holds, and what Python code may pass instead."""

from __future__ import annotations

import math
from dataclasses import make_dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = TEXT | st.sampled_from(["$float", "$int", "$$float", "$$$int", "$", "$floats", "null"])
INTEGERS = (
    st.integers() | st.integers(-(2**80), 2**80) | st.sampled_from([2**53, 1 - 2**53, 10**700])
)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats() | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


class Odd:
    """An object that fails in the way it is told to."""

    def __init__(self, failures: set[str]) -> None:
        self.failures = failures

    def _maybe(self, name: str, value: Any) -> Any:
        if name in self.failures:
            raise RuntimeError(name)
        return value

    def __repr__(self) -> str:
        return str(self._maybe("repr", "odd \udcff"))

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return bool(self._maybe("eq", self is other))

    def __lt__(self, other: object) -> bool:
        return bool(self._maybe("lt", True))

    def tolist(self) -> Any:
        return self._maybe("tolist", self)

    def __getattr__(self, name: str) -> Any:
        return self._maybe("attribute", None)


class OddDump(Odd):
    def model_dump(self, **options: Any) -> Any:
        return self._maybe("dump", {1: self, "a": [self]})


ODD = st.builds(Odd, st.sets(st.sampled_from(["repr", "lt", "tolist", "attribute"])))
ODD_DUMP = st.builds(OddDump, st.sets(st.sampled_from(["repr", "dump", "attribute"])))
WEIRD_LEAVES = (
    SCALARS
    | st.text()
    | st.binary(max_size=20)
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.builds(object)
    | st.sampled_from([int, len, ..., NotImplemented, Decimal("sNaN"), ValueError("\ud800"), math])
    | ODD
    | ODD_DUMP
)
HASHABLE = SCALARS | st.text() | st.binary(max_size=5) | st.decimals(allow_nan=False) | ODD
WEIRD = st.recursive(
    WEIRD_LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.tuples(inner, inner)
        | st.frozensets(HASHABLE, max_size=4)
        | st.builds(make_dataclass("Data", ["one", "two"]), inner, inner)
        | st.builds(iter, st.lists(inner, max_size=2))
    ),
    max_leaves=15,
)
