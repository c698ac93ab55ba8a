"""Buckets lose no extreme and no point, whatever they are made from."""

from __future__ import annotations

from collections import Counter
from math import inf, isfinite, isnan, nan
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.views.metric_history import chunks
from consumers.views.metric_history.overview import Bucketing, Sketch
from synapse_stream.ports.views import Axis, Bucket, Overview, SeriesKey
from tests.projections.series import points, some_points

if TYPE_CHECKING:
    from consumers.views.metric_history.chunks import Chunk
    from consumers.views.metric_history.rows import Points


class Stored:
    """Chunks as a store has them; counts the bodies that are read."""

    def __init__(self, *parts: Points) -> None:
        self.chunks: list[Chunk] = []
        for place, part in enumerate(parts):
            part.number = 10_000 * place
            self.chunks += chunks.encode(part)
        self.bodies_read = 0

    def overview(
        self, axis: Axis, buckets: int, start: float | None = None, stop: float | None = None
    ) -> list[Bucket]:
        sketches = [Sketch(chunk.number, chunk.stats, chunk.outline) for chunk in self.chunks]
        plan = Bucketing(sketches, axis, buckets, start, stop)
        bodies = {chunk.number: chunk.body for chunk in self.chunks if chunk.number in plan.wanted}
        self.bodies_read = len(bodies)
        return Overview(SeriesKey(1, 0, None, "v"), axis, 0, plan.build(bodies)).buckets


@settings(max_examples=200)
@given(
    st.lists(some_points(most=200), min_size=1, max_size=5),
    st.sampled_from(list(Axis)),
    st.integers(1, 40),
)
def test_count_extremes_and_non_finite_values_are_those_of_all_points(
    parts: list[Points], axis: Axis, buckets: int
) -> None:
    found = Stored(*parts).overview(axis, buckets)
    seen = [
        value
        for part in parts
        for i, value in enumerate(part.values)
        if axis is not Axis.X or (part.xs is not None and isfinite(part.xs[i]))
    ]
    finite = [value for value in seen if isfinite(value)]

    assert len(found) <= buckets
    assert sum(bucket.points for bucket in found) == len(seen)
    assert min((b.minimum for b in found if b.minimum is not None), default=None) == min(
        finite, default=None
    )
    assert max((b.maximum for b in found if b.maximum is not None), default=None) == max(
        finite, default=None
    )
    assert sum(bucket.nans for bucket in found) == sum(map(isnan, seen))
    assert sum(bucket.positive_infinite for bucket in found) == seen.count(inf)
    assert sum(bucket.negative_infinite for bucket in found) == seen.count(-inf)
    assert all(bucket.start <= bucket.stop for bucket in found)


@settings(max_examples=100)
@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300),
    st.integers(1, 50),
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_a_view_has_exactly_the_points_between_its_ends(
    xs: list[float], buckets: int, one: int, other: int
) -> None:
    start, stop = sorted((xs[one % len(xs)], xs[other % len(xs)]))
    stored = Stored(points([float(i) for i in range(len(xs))], xs=xs))

    found = stored.overview(Axis.X, buckets, start, stop)

    expected = [x for x in xs if start <= x <= stop]
    assert sum(bucket.points for bucket in found) == len(expected)
    assert min(bucket.start for bucket in found) == start
    assert max(bucket.stop for bucket in found) == stop


def test_an_overview_of_a_long_series_reads_no_body() -> None:
    stored = Stored(points([float(i % 977) for i in range(200_000)]))

    for axis in (Axis.INDEX, Axis.TIME):
        found = stored.overview(axis, 1000)

        assert stored.bodies_read == 0
        assert len(found) == 1000
        assert sum(bucket.points for bucket in found) == 200_000


def test_zooming_in_reads_only_the_chunks_in_view() -> None:
    stored = Stored(points([float(i) for i in range(50_000)]))

    found = stored.overview(Axis.INDEX, 100, 20_000, 20_999)

    assert stored.bodies_read == 2
    assert [bucket.points for bucket in found] == [10] * 100
    assert (found[0].minimum, found[-1].maximum) == (20_000, 20_999)


@pytest.mark.parametrize("buckets", [1, 2, 7, 30])
def test_a_chunk_that_sticks_out_of_the_view_counts_only_with_what_is_in_it(buckets: int) -> None:
    stored = Stored(
        points([float(i) for i in range(1000)]), points([float(i) for i in range(3000)])
    )

    found = stored.overview(Axis.INDEX, buckets, 100, 3899)

    assert sum(bucket.points for bucket in found) == 3800
    assert (found[0].start, found[-1].stop, found[-1].last) == (100, 3899, 2899)


def test_one_extreme_point_among_many_is_there() -> None:
    numbers = [0.0] * 100_000
    numbers[54_321] = 1e9
    numbers[54_322] = -1e9

    found = Stored(points(numbers)).overview(Axis.INDEX, 500)

    spikes = [bucket for bucket in found if bucket.maximum or bucket.minimum]
    assert max(bucket.maximum or 0 for bucket in spikes) == 1e9
    assert min(bucket.minimum or 0 for bucket in spikes) == -1e9
    assert all(bucket.start - 500 <= 54_322 <= bucket.stop + 500 for bucket in spikes)


def test_no_more_points_than_buckets_are_a_bucket_each() -> None:
    stored = Stored(points([5.0, 3.0], xs=[2.0, 1.0]), points([nan], xs=[1.0]))

    found = stored.overview(Axis.X, 10)

    assert [(b.start, b.stop, b.points, b.minimum, b.nans) for b in found] == [
        (1, 1, 1, 3, 0),
        (1, 1, 1, None, 1),
        (2, 2, 1, 5, 0),
    ]


def test_the_last_value_of_a_bucket_is_the_one_that_arrived_last() -> None:
    (bucket,) = Stored(points([1.0, 2.0], xs=[9.0, 8.0]), points([3.0], xs=[1.0])).overview(
        Axis.X, 1
    )

    assert (bucket.last, bucket.start, bucket.stop) == (3, 1, 9)


@pytest.mark.parametrize("axis", list(Axis))
def test_all_points_in_one_place_are_one_bucket(axis: Axis) -> None:
    stored = Stored(points([1.0] * 100, xs=[7.0] * 100, moments=[5] * 100))

    found = stored.overview(axis, 10)

    assert Counter(bucket.points for bucket in found) == (
        {10: 10} if axis is Axis.INDEX else {100: 1}
    )


def test_the_same_chunks_give_the_same_buckets() -> None:
    stored = Stored(*(points([float(i * j % 97) for i in range(700)]) for j in range(20)))

    assert stored.overview(Axis.TIME, 64) == stored.overview(Axis.TIME, 64)


def test_an_axis_may_be_longer_than_the_largest_number() -> None:
    largest = 1.7976931348623157e308

    found = Stored(points([1.0, 2.0, 3.0, 4.0], xs=[-largest, -1.0, largest, largest])).overview(
        Axis.X, 3
    )

    assert [(bucket.start, bucket.points) for bucket in found] == [
        (-largest, 1),
        (-1.0, 1),
        (largest, 2),
    ]


def test_blocks_on_an_axis_that_is_nearly_as_long_may_be_wide() -> None:
    xs = [-6e307, 1.7976931348623157e308] * 70

    found = Stored(points([1.0] * 140, xs=xs)).overview(Axis.X, 2)

    assert [(bucket.start, bucket.points) for bucket in found] == [(xs[0], 70), (xs[1], 70)]


@pytest.mark.parametrize("axis", list(Axis))
def test_a_series_without_points_has_no_buckets(axis: Axis) -> None:
    assert Stored().overview(axis, 10) == []
    assert Stored(points([1.0])).overview(axis, 10, 1e18, 2e18) == []
