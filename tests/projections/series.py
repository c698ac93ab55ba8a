"""Points to make chunks of, and strategies for them."""

from __future__ import annotations

import random
from array import array
from math import inf, nan
from typing import TypeVar

from hypothesis import strategies as st

from consumers.views.metric_history.rows import Points

T = TypeVar("T")

WEIRD = [nan, inf, -inf, 0.0, -0.0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308]
MOST = 2**63 - 1

values = st.floats(width=64) | st.sampled_from(WEIRD)
times = st.integers(0, 2**53 - 1)


def points(
    numbers: list[float],
    xs: list[float] | None = None,
    moments: list[int] | None = None,
    number: int = 0,
) -> Points:
    """Return a point a number, one a millisecond unless `moments` says otherwise."""
    count = len(numbers)
    return Points(
        number,
        ms=array("q", [1_763_880_000_000 + i // 100 for i in range(count)]),
        seq=array("q", [i // 10 % 10 for i in range(count)]),
        index=array("q", [i % 10 for i in range(count)]),
        times=array("q", moments or [1_763_880_000_000_000 + 1000 * i for i in range(count)]),
        values=array("d", numbers),
        xs=None if xs is None else array("d", xs),
    )


@st.composite
def some_points(draw: st.DrawFn, *, most: int = 300) -> Points:
    """Draw points with anything in them that can be: a few items a column, in a shuffled order."""
    count = draw(st.integers(1, most))
    rng = random.Random(draw(st.integers(0, 2**32)))

    def column(items: st.SearchStrategy[T]) -> list[T]:
        return rng.choices(draw(st.lists(items, min_size=1, max_size=5)), k=count)

    place = st.integers(0, MOST)
    return Points(
        draw(st.integers(0, 2**40)),
        array("q", column(place)),
        array("q", column(place)),
        array("q", column(st.integers(0, 10**6))),
        array("q", column(times)),
        array("d", column(values)),
        array("d", column(values)) if draw(st.booleans()) else None,
    )


def same(one: Points, other: Points) -> bool:
    """Compare bit by bit, since NaN is not equal to itself."""
    columns = ("ms", "seq", "index", "times", "values", "xs")
    return all(_bytes(getattr(one, name)) == _bytes(getattr(other, name)) for name in columns)


def _bytes(column: array[float] | None) -> bytes | None:
    return None if column is None else column.tobytes()
