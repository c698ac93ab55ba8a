"""Chunks give back every point, and their numbers tell the truth about it."""

from __future__ import annotations

import contextlib
import math
import random
from array import array
from dataclasses import replace
from math import inf, isfinite, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.views.metric_history import bodies, chunks, packing, stats
from consumers.views.metric_history.chunks import MOST_POINTS, Chunk, encode
from consumers.views.metric_history.rows import Points, begin_points
from synapse_stream.entries.limits import compress
from synapse_stream.entries.position import Position
from synapse_stream.errors import DecodeError
from synapse_stream.ports.views import Axis
from tests.projections.series import points, same, some_points, values


@given(some_points())
def test_decoding_gives_back_every_point(original: Points) -> None:
    (chunk,) = encode(original)

    assert same(bodies.decode(chunk.body), original)
    places = list(map(Position, original.ms, original.seq, original.index))
    assert (chunk.first, chunk.last) == (min(places), max(places))


def test_series_that_were_reported_together_are_decoded_with_shared_columns() -> None:
    count = MOST_POINTS + 5
    one = points([float(i) for i in range(count)], xs=[float(i) for i in range(count)])
    two = replace(one, values=array("d", [nan] * count))
    alone = points([0.5] * count)
    series = [one, two, alone, begin_points(0)]

    decoded = bodies.decode_all([[c.body for c in cut] for cut in chunks.encode_all(series)])

    assert all(map(same, decoded, series))
    assert decoded[0].times is decoded[1].times
    assert decoded[0].times is not decoded[2].times


@given(some_points(), st.randoms())
def test_a_cut_leaves_the_points_up_to_a_position(original: Points, rng: random.Random) -> None:
    (chunk,) = encode(original)
    places = list(map(Position, original.ms, original.seq, original.index))
    until = rng.choice(places)

    left = bodies.cut(chunk.number, chunk.body, until)

    kept = [i for i, place in enumerate(places) if place <= until]
    assert left.number == original.number
    assert same(left, _chosen(original, kept))


@given(some_points())
def test_the_stats_are_those_of_the_points(original: Points) -> None:
    one = encode(original)[0].stats
    finite = [value for value in original.values if isfinite(value)]
    xs = [x for x in original.xs or [] if isfinite(x)]

    assert one.points == len(original)
    assert (one.v_min, one.v_max) == (min(finite, default=inf), max(finite, default=-inf))
    assert repr(one.v_last) == repr(original.values[-1])
    assert one.nans == sum(map(isnan, original.values))
    assert one.positive == list(original.values).count(inf)
    assert one.negative == list(original.values).count(-inf)
    assert (one.t_min, one.t_max) == (min(original.times), max(original.times))
    assert (one.xs, one.x_min, one.x_max) == (len(xs), min(xs, default=inf), max(xs, default=-inf))


@given(some_points())
def test_an_outline_is_the_stats_of_each_block(original: Points) -> None:
    (chunk,) = encode(original)
    if not chunk.outline:
        assert len(original) <= stats.BLOCK
        return
    columns = stats.blocks(chunk.stats, [chunk.outline])

    for place, start in enumerate(range(0, len(original), stats.BLOCK)):
        alone = encode(_part(original, start, start + stats.BLOCK))[0].stats._asdict()
        for name, column in columns.items():
            assert np.array_equal(column[0, place], alone[name], equal_nan=True)


@given(st.lists(values, min_size=1))
def test_the_sum_leaves_out_what_is_not_finite(numbers: list[float]) -> None:
    finite = [number for number in numbers if isfinite(number)]
    try:
        expected = math.fsum(finite)
    except OverflowError:
        expected = nan

    assert repr(encode(points(numbers))[0].v_sum) == repr(expected)


def test_long_series_are_cut_into_pieces_with_rising_numbers() -> None:
    original = points([float(i) for i in range(2 * MOST_POINTS + 10)], number=70)

    made = encode(original)

    assert [(chunk.number, chunk.stats.points) for chunk in made] == [
        (70, MOST_POINTS),
        (70 + MOST_POINTS, MOST_POINTS),
        (70 + 2 * MOST_POINTS, 10),
    ]
    assert same(_joined(made), original)


def test_series_that_share_their_places_share_the_packed_form_and_nothing_else() -> None:
    size = 3 * MOST_POINTS + 7
    loss, other = points([1.0] * size, xs=[2.0] * size, number=5), points([7, nan, 9], number=70)
    accuracy = replace(loss, values=array("d", [inf] * size))
    series = [other, loss, accuracy, begin_points(0), other]

    made = chunks.encode_all(series)

    assert made == [chunks.encode(each) for each in series]
    assert all(same(_joined(one), each) for one, each in zip(made, series, strict=True))


@settings(max_examples=30)
@given(st.lists(some_points(most=40), min_size=1, max_size=8))
def test_merging_keeps_points_order_and_numbers(parts: list[Points]) -> None:
    for place, part in enumerate(parts):
        part.number = 1000 * place
    made = [encode(part)[0] for part in parts]

    (merged,) = chunks.merge([(one.number, one.body, one.stats.points, one.v_sum) for one in made])

    assert same(bodies.decode(merged.body), _joined(made))
    assert merged.number == 0


def test_what_is_merged_beyond_one_chunk_keeps_its_place_among_the_others() -> None:
    parts = [points([float(i)] * 1000, number=5000 * i) for i in range(6)]
    made = [encode(part)[0] for part in parts]

    merged = chunks.merge([(one.number, one.body, one.stats.points, one.v_sum) for one in made])

    assert [chunk.stats.points for chunk in merged] == [MOST_POINTS, 6000 - MOST_POINTS]
    assert [chunk.number for chunk in merged] == [0, 4 * 5000 + 96]


@pytest.mark.parametrize("axis", list(Axis))
@pytest.mark.parametrize("xs", [None, [3.0, nan, 1.0]])
def test_an_axis_can_be_read_alone(axis: Axis, xs: list[float] | None) -> None:
    original = points([7.0, 8.0, 9.0], xs=xs)
    expected = {Axis.INDEX: range(3), Axis.TIME: original.times, Axis.X: xs or [nan] * 3}

    places, found = bodies.decode_axis(encode(original)[0].body, axis)

    assert repr(places.tolist()) == repr(list(expected[axis]))
    assert found.tolist() == [7.0, 8.0, 9.0]


@given(some_points(most=20), st.data())
def test_damaged_bytes_are_a_decode_error_or_other_points_but_nothing_worse(
    original: Points, data: st.DataObject
) -> None:
    body = bytearray(encode(original)[0].body)
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body)[: data.draw(st.integers(0, len(body)))]

    for damaged in (bytes(body), cut):
        with contextlib.suppress(DecodeError):
            assert len(bodies.decode(damaged)) == int.from_bytes(damaged[1:5], "little")


def test_a_chunk_whose_columns_differ_in_length_is_damaged() -> None:
    one, other = encode(points([1.0, 2.0]))[0].body, encode(points([1.0]))[0].body

    with pytest.raises(DecodeError, match="a metric chunk of 2 points has columns"):
        bodies.decode(one[:9] + _first_frame(one) + other[9 + len(_first_frame(other)) :])


@given(st.binary(max_size=200))
def test_bytes_that_are_no_outline_are_a_decode_error(data: bytes) -> None:
    one = encode(points([1.0] * 100))[0].stats

    with pytest.raises(DecodeError, match="an outline of 100 points has"):
        stats.blocks(one, [data[:79]])


def test_a_frame_that_would_fill_the_memory_is_refused() -> None:
    bomb = compress(bytes(65 * 1024 * 1024))

    with pytest.raises(DecodeError, match="at most"):
        packing.decompress(bomb)


def test_a_stored_point_takes_less_than_twelve_bytes() -> None:
    """Full-precision noise, the worst that a real metric is, with jittering times and an x."""
    rng = random.Random(1)
    numbers = [2 * math.exp(-i / 20_000) + 0.05 * rng.gauss(0, 1) for i in range(20_000)]
    moments = [1_763_880_000_000_000 + 1200 * i + rng.randrange(200) for i in range(20_000)]

    made = encode(points(numbers, xs=[float(i) for i in range(20_000)], moments=moments))

    assert sum(len(chunk.body) + len(chunk.outline) for chunk in made) / 20_000 < 12


def _part(original: Points, start: int, stop: int) -> Points:
    ms, seq, index, times = (
        column[start:stop] for column in (original.ms, original.seq, original.index, original.times)
    )
    xs = None if original.xs is None else original.xs[start:stop]
    return Points(0, ms, seq, index, times, original.values[start:stop], xs)


def _chosen(original: Points, kept: list[int]) -> Points:
    columns = (original.ms, original.seq, original.index, original.times)
    ms, seq, index, times = (array("q", [column[i] for i in kept]) for column in columns)
    xs = None if original.xs is None else array("d", [original.xs[i] for i in kept])
    numbers = array("d", [original.values[i] for i in kept])
    return Points(0, ms, seq, index, times, numbers, xs)


def _joined(made: list[Chunk]) -> Points:
    joined = begin_points(0)
    for chunk in made:
        joined.extend(bodies.decode(chunk.body))
    return joined


def _first_frame(body: bytes) -> bytes:
    return body[9 : 9 + int.from_bytes(body[5:9], "little")]
