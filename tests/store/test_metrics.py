"""Metric histories: points, summaries and overviews come back as they were written."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import pytest

from consumers.store.schema import chunk
from consumers.views.metric_history.chunks import MOST_POINTS
from synapse_stream.entries.position import Position
from synapse_stream.errors import DecodeError
from synapse_stream.ports.views import Axis, SeriesKey
from tests.store.jobs import METRICS, Committer, metrics
from tests.store.points import LOSS, Writer, same

if TYPE_CHECKING:
    from typing import Any

    from consumers.store.store import Store
    from consumers.views.reader import StoredViews


def test_points_come_back_with_all_that_they_have(store: Store, views: StoredViews) -> None:
    values = [1.5, "NaN", "Infinity", "-Infinity", 1e308, -0.0, 2**53]
    expected = [1.5, math.nan, math.inf, -math.inf, 1e308, -0.0, 2.0**53]
    committer = Committer(store, METRICS)
    committer.commit({"job": [metrics("fit", x=n, loss=v) for n, v in enumerate(values)]})
    committer.commit({"job": [metrics("fit", loss=7)]})

    found = views.points("job", SeriesKey(1, 0, "fit", "loss"))

    assert same(found.values, [*expected, 7.0])
    assert found.xs is not None
    assert same(found.xs, [*range(7), math.nan])
    assert [p.index for p in found.positions] == [*range(7), 0]
    assert found.positions[0].ms + 1 == found.positions[7].ms
    assert list(found.times) == sorted(found.times)


def test_a_last_value_that_is_nan_is_null_in_every_database(store: Store) -> None:
    Committer(store, METRICS).commit({"job": [metrics(loss="NaN")]})

    with store.databases.of("metric-history").read("test") as connection:
        (row,) = connection.execute(chunk.select().where(chunk.c.v_last.is_(None)))
    assert (row.nans, row.v_min, row.v_max) == (1, math.inf, -math.inf)


@pytest.mark.parametrize(
    ("values", "minimum", "maximum", "last", "non_finite"),
    [
        ([3.0, 1.0, 2.0], 1.0, 3.0, 2.0, 0),
        (["NaN"], None, None, math.nan, 1),
        (["Infinity", "-Infinity", "NaN"], None, None, math.nan, 3),
        ([1.0, "NaN", "Infinity"], 1.0, 1.0, math.inf, 2),
        (["NaN", 5.0], 5.0, 5.0, 5.0, 1),
    ],
)
def test_a_summary_counts_what_is_not_finite_and_leaves_it_out_of_the_extremes(
    store: Store,
    views: StoredViews,
    values: Any,
    minimum: Any,
    maximum: Any,
    last: Any,
    non_finite: int,
) -> None:
    committer = Committer(store, METRICS)
    for value in values:
        committer.commit({"job": [metrics(loss=value)]})

    (summary,) = views.series("job")

    assert (summary.key, summary.count, summary.has_x) == (LOSS, len(values), False)
    assert (summary.minimum, summary.maximum) == (minimum, maximum)
    assert same([summary.last], [last])
    assert summary.non_finite == non_finite


def test_series_are_chosen_by_name_step_rank_and_attempt(store: Store, views: StoredViews) -> None:
    committer = Committer(store, METRICS)
    committer.commit({"job": [metrics("fit", x=1, loss=1, lr=2), metrics("eval", loss=3)]})
    committer.commit({"other": [metrics("fit", loss=1)]})

    def keys(**filters: Any) -> list[tuple[str | None, str]]:
        return [(s.key.step, s.key.name) for s in views.series("job", **filters)]

    assert keys() == [("eval", "loss"), ("fit", "loss"), ("fit", "lr")]
    assert keys(name="loss") == [("eval", "loss"), ("fit", "loss")]
    assert keys(step="fit", name="lr") == [("fit", "lr")]
    assert keys(rank=0, attempt=1) == keys()
    assert keys(rank=1) == keys(attempt=2) == []
    assert [s.has_x for s in views.series("job")] == [False, True, True]
    assert views.series("unknown") == []


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_series_of_several_attempts_can_be_told_of_once(
    store: Store, views: StoredViews, limit: int
) -> None:
    committer = Committer(store, METRICS)
    for number, names in enumerate((["a", "b", "c"], ["b", "c"], ["c"]), 1):
        committer.commit({"job": [{"type": "run_started", "rank": 0, "attempt": number}]})
        values = dict.fromkeys(names, 1)
        committer.commit({"job": [metrics(step, **values) for step in (None, "s")]})

    met: list[SeriesKey] = []
    while page := views.series(
        "job", only_latest=True, after=met[-1] if met else None, limit=limit
    ):
        met += [summary.key for summary in page]

    assert met == [
        SeriesKey(attempt, 0, step, name)
        for attempt, name in ((1, "a"), (2, "b"), (3, "c"))
        for step in (None, "s")
    ]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_series_are_listed_in_pages(store: Store, views: StoredViews, limit: int) -> None:
    """Keys sort as in Python: no step first, then by code points, upper case before lower."""
    steps, names = (None, "Fit", "fit", "é"), ("B", "a", "ä", "\U0001f600")
    committer = Committer(store, METRICS)
    for number in (2, 1):
        committer.commit({"job": [{"type": "run_started", "rank": 0, "attempt": number}]})
        committer.commit({"job": [metrics(step, **dict.fromkeys(names, 1)) for step in steps]})
    expected = [
        SeriesKey(attempt, 0, step, name) for attempt in (1, 2) for step in steps for name in names
    ]

    met: list[SeriesKey] = []
    while page := views.series("job", after=met[-1] if met else None, limit=limit):
        assert len(page) <= limit
        met += [summary.key for summary in page]

    assert met == expected == [summary.key for summary in views.series("job")]
    behind = views.series("job", name="a", attempt=2, after=expected[-9], limit=2)
    assert [summary.key for summary in behind] == [expected[-7], expected[-3]]


@pytest.mark.parametrize("is_compacted", [False, True])
@pytest.mark.parametrize("last", [12_345, 12_003, 0, 30_009])
def test_until_a_position_a_series_is_as_if_it_had_ended_there(
    store: Store, views: StoredViews, last: int, *, is_compacted: bool
) -> None:
    commits, rest = divmod(last + 1, 3001)
    writer = Writer(store)
    for job_id, sizes in (("job", [3001] * 10), ("cut", [3001] * commits + [rest] * (rest > 0))):
        writer.written = 0
        writer.write(sizes, job_id)
    if is_compacted:
        writer.compact()
    until = Position(1000 + last // 10, 7, last % 10)

    points, expected = views.points("job", LOSS, until=until), views.points("cut", LOSS)

    assert same(points.values, expected.values)
    assert list(points.times) == list(expected.times)
    assert points.positions == expected.positions
    assert points.positions[-1] == until
    pieces = list(views.pieces("job", LOSS, until=until))
    assert same([value for piece in pieces for value in piece.values], expected.values)
    assert [place for piece in pieces for place in piece.positions] == expected.positions
    for axis in Axis:
        for start in (None, 100):
            read = partial(views.overview, key=LOSS, buckets=50, axis=axis, start=start)
            assert repr(read("job", until=until).buckets) == repr(read("cut").buckets)


def test_a_long_series_comes_in_pieces_and_none_is_long(store: Store, views: StoredViews) -> None:
    writer = Writer(store)
    writer.write([5_000] * 10)
    writer.compact()

    sizes = [len(piece) for piece in views.pieces("job", LOSS)]

    assert sum(sizes) == 50_000
    assert max(sizes) <= MOST_POINTS < 50_000


def test_before_its_first_point_a_series_is_empty(store: Store, views: StoredViews) -> None:
    Writer(store).write([10])

    assert len(views.points("job", LOSS, until=Position(1000, 6))) == 0
    assert views.overview("job", LOSS, until=Position(1000, 6)).buckets == []


def test_an_unknown_series_is_empty(views: StoredViews) -> None:
    assert len(views.points("job", LOSS)) == 0
    assert list(views.pieces("job", LOSS)) == []
    assert views.overview("job", LOSS).count == 0


@pytest.mark.parametrize("axis", list(Axis))
@pytest.mark.parametrize("is_compacted", [False, True])
def test_an_overview_keeps_extremes_and_the_true_count(
    store: Store, views: StoredViews, axis: Axis, is_compacted: bool
) -> None:
    writer = Writer(store)
    writer.values[12_345] = 99.0
    writer.values[23_456] = math.nan
    writer.write([3001] * 10)
    if is_compacted:
        writer.compact()
    points = views.points("job", LOSS)
    total = len(points)
    if axis is Axis.X:
        assert points.xs is not None
        total = sum(map(math.isfinite, points.xs))

    found = views.overview("job", LOSS, buckets=50, axis=axis)

    assert len(found.buckets) <= 50
    assert found.count == total
    assert max(bucket.maximum or 0 for bucket in found.buckets) == 99.0
    assert sum(bucket.nans for bucket in found.buckets) == 1


def test_zooming_in_decodes_only_the_chunks_in_view(store: Store, views: StoredViews) -> None:
    writer = Writer(store)
    writer.write([MOST_POINTS] * 20)
    in_view = chunk.c.number == 50_000 // MOST_POINTS * MOST_POINTS
    with store.databases.of("metric-history").write("test") as connection:
        connection.execute(chunk.update().where(~in_view).values(body=b"damaged"))

    found = views.overview("job", LOSS, buckets=100, start=50_000, stop=50_049)

    assert found.count == 50
    assert [bucket.last for bucket in found.buckets] == writer.values[50_000:50_050]
    with pytest.raises(DecodeError):
        views.overview("job", LOSS, buckets=100, start=40_000, stop=40_049)
