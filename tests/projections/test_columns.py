"""Columns that are encoded at once are what they would be number by number."""

from __future__ import annotations

from array import array
from math import inf, isfinite, isnan, nan
from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from consumers.api import columns
from synapse_stream.entries.position import Positions
from synapse_stream.events.tags import wire_number
from synapse_stream.ports.views import Axis, Bucket, Overview, Series, SeriesKey

KEY = SeriesKey(1, 0, None, "loss")
numbers = st.floats(width=64) | st.sampled_from([nan, inf, -inf, 0.0, -0.0, 5e-324, 1.7e308])
places = st.integers(0, 2**63 - 1)


def made(encoded: dict[str, bytes]) -> dict[str, Any]:
    return {name: orjson.loads(column) for name, column in encoded.items()}


@given(
    st.lists(st.tuples(numbers, numbers, places, places, places, places)),
    st.booleans(),
)
def test_points_are_those_of_the_series(rows: list[tuple[Any, ...]], has_x: bool) -> None:
    values, xs, times, *positions = zip(*rows, strict=True) if rows else [()] * 6
    found = Series(
        KEY,
        array("d", values),
        array("q", times),
        array("d", xs) if has_x else None,
        Positions(*(array("q", column) for column in positions)),
    )

    assert made(columns.of_points(found)) == {
        "x": [None if not has_x or isnan(x) else wire_number(x) for x in xs],
        "time": list(times),
        "value": [wire_number(value) for value in values],
        "position": [f"{ms}-{seq}.{index}" for ms, seq, index in zip(*positions, strict=True)],
    }


@given(st.lists(st.tuples(numbers, numbers, numbers, st.integers(0, 2**53))), st.sampled_from(Axis))
def test_buckets_are_those_of_the_overview(rows: list[tuple[Any, ...]], axis: Axis) -> None:
    least, most, last, counts = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else [np.empty(0)] * 4
    )
    given_columns = dict.fromkeys(Bucket._fields, counts)
    given_columns |= {"minimum": least, "maximum": most, "last": last}
    found = Overview(KEY, axis, len(rows), given_columns)

    shown = made(columns.of_buckets(found))

    assert shown["min"] == [value if isfinite(value) else None for value in least.tolist()]
    assert shown["min"] == [bucket.minimum for bucket in found.buckets]
    assert shown["max"] == [bucket.maximum for bucket in found.buckets]
    assert shown["last"] == [wire_number(bucket.last) for bucket in found.buckets]
    assert shown["points"] == shown["nans"] == [bucket.points for bucket in found.buckets]
    assert len(found) == len(rows)
