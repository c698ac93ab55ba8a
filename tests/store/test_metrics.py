"""Metric histories: every point comes back, before and after compaction."""

from __future__ import annotations

import math
import random
from array import array
from typing import TYPE_CHECKING

import pytest

from consumers.chunks import MOST_POINTS
from consumers.errors import LeaseLost
from consumers.projections.base import Points
from consumers.store import JobWrite
from consumers.store.metrics import encode, insert_chunks
from consumers.store.schema import chunk, series
from synapse_stream.errors import DecodeError
from synapse_stream.views import Axis, SeriesKey
from tests.store.jobs import METRICS, SECONDS, Committer, metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from consumers.store import Lease, Store, StoredViews

AT_ONCE = 0.0
LOSS = SeriesKey(1, 0, None, "loss")


class Writer:
    """Commits points of the series `LOSS` of one job, cut as it is told."""

    def __init__(self, store: Store, owner: str = "owner") -> None:
        lease = store.acquire("metric-history", 0, owner, SECONDS)
        assert lease is not None
        self.store = store
        self.lease: Lease = lease
        self.values = [float(value) for value in _endless(2_000_000)]
        self.written = 0

    def write(self, sizes: Iterable[int], job_id: str = "job") -> None:
        """Commit so many points at a time."""
        for size in sizes:
            rows = {LOSS: self._points(self.written, size)}
            self.written += size
            entry = (self.written, 0)
            self.store.commit(
                self.lease, entry, [JobWrite(job_id, b"{}", rows, entry)], [], SECONDS
            )

    def compact(self, rested_seconds: float = AT_ONCE) -> int:
        """Compact until nothing is left to do; return how many rounds that took."""
        rounds = 0
        while self.store.compact(self.lease, rested_seconds=rested_seconds):
            rounds += 1
        return rounds

    def _points(self, start: int, size: int) -> Points:
        numbers = range(start, start + size)
        return Points(
            start,
            array("q", [1000 + n // 10 for n in numbers]),
            array("q", [7] * size),
            array("q", [n % 10 for n in numbers]),
            array("q", [10**15 + n * 1000 for n in numbers]),
            array("d", self.values[start : start + size]),
            array("d", [n / 2 for n in numbers]) if start % 3 else None,
        )


def _endless(most: int) -> Iterable[float]:
    return map(math.sin, range(most))


def chunks_of(store: Store) -> list[tuple[int, int]]:
    """Return number and points of each chunk of the only series."""
    with store._databases.of("metric-history").read("test") as connection:
        rows = connection.execute(chunk.select().order_by(chunk.c.number))
        return [(row.number, row.points) for row in rows]


def chunk_sizes(store: Store) -> list[int]:
    """Return the points of each chunk of the only series."""
    return [points for _, points in chunks_of(store)]


def loose_series(store: Store) -> int:
    with store._databases.of("metric-history").read("test") as connection:
        return len(connection.execute(series.select().where(series.c.is_loose)).all())


def same(one: Iterable[float], other: Iterable[float]) -> bool:
    """Compare numbers by their bits, so that NaN equals NaN."""
    return array("d", one).tobytes() == array("d", other).tobytes()


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

    with store._databases.of("metric-history").read("test") as connection:
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


def test_an_unknown_series_is_empty(views: StoredViews) -> None:
    assert len(views.points("job", LOSS)) == 0
    assert views.overview("job", LOSS).count == 0


@pytest.mark.parametrize(
    "sizes",
    [
        [1] * 40,
        [1, 500, 3, 2048, 7, 7, 4096, 1, 1, 5000, 2, 3],
        [700] * 30,
        [MOST_POINTS] * 3,
        [MOST_POINTS + 1] * 3,
    ],
    ids=str,
)
@pytest.mark.parametrize("rested_seconds", [AT_ONCE, 3600.0])
def test_compaction_changes_no_point_however_they_came(
    store: Store, views: StoredViews, sizes: list[int], rested_seconds: float
) -> None:
    writer = Writer(store)
    writer.write(sizes)
    before = views.points("job", LOSS)
    chunks = len(chunk_sizes(store))

    rounds = writer.compact(rested_seconds)
    after = views.points("job", LOSS)

    assert same(after.values, writer.values[: sum(sizes)])
    assert same(after.xs or [], before.xs or [])
    assert (after.times, after.positions) == (before.times, before.positions)
    assert sum(chunk_sizes(store)) == sum(sizes)
    assert len(chunk_sizes(store)) < chunks or rounds == 0 or max(sizes) >= MOST_POINTS


def test_a_series_that_rests_ends_in_large_chunks_and_is_left_alone(store: Store) -> None:
    writer = Writer(store)
    writer.write([100] * 100)
    assert loose_series(store) == 1
    writer.compact()

    assert chunk_sizes(store) == [4096, 4096, 1808]
    assert loose_series(store) == 0
    assert writer.compact() == 0


def test_a_series_that_grows_is_merged_by_eights_and_a_point_is_rewritten_a_few_times(
    store: Store,
) -> None:
    writer = Writer(store)
    rewritten = 0
    for _ in range(64):
        writer.write([1] * 8)
        before = set(chunks_of(store))
        writer.compact(3600.0)
        rewritten += sum(points for _, points in set(chunks_of(store)) - before)

    assert len(chunk_sizes(store)) < 10
    assert sum(chunk_sizes(store)) == 512
    assert rewritten / 512 < 8


def test_points_that_come_after_a_compaction_follow_behind(
    store: Store, views: StoredViews
) -> None:
    writer = Writer(store)
    rng = random.Random(3)
    for _ in range(15):
        writer.write(rng.randrange(1, 900) for _ in range(rng.randrange(1, 12)))
        writer.compact(rng.choice([AT_ONCE, 3600.0]))

    assert same(views.points("job", LOSS).values, writer.values[: writer.written])


def test_the_next_owner_finds_what_is_still_to_be_merged(
    store: Store, new_store: Callable[[], Store], views: StoredViews
) -> None:
    first = Writer(store)
    first.write([10] * 20)
    store.release(first.lease)
    second = Writer(new_store(), "second")

    assert second.compact() == 1
    assert chunk_sizes(store) == [200]
    assert same(views.points("job", LOSS).values, first.values[:200])


def test_an_owner_that_lost_its_lease_compacts_nothing(
    store: Store, new_store: Callable[[], Store]
) -> None:
    stalled = Writer(store)
    stalled.write([10] * 20)
    assert store.renew(stalled.lease, AT_ONCE)
    Writer(new_store(), "second")

    with pytest.raises(LeaseLost):
        stalled.compact()

    assert chunk_sizes(store) == [10] * 20


def test_a_series_of_many_small_chunks_is_merged_in_several_transactions(
    store: Store, views: StoredViews
) -> None:
    writer = Writer(store)
    writer.write([1, 1])
    rows = [encode({LOSS: writer._points(n, 1)})[LOSS] for n in range(2, 5000)]
    with store._databases.of("metric-history").write("test") as connection:
        (number,) = connection.execute(series.select()).scalars()
        insert_chunks(connection, [(number, chunks) for chunks in rows])

    assert writer.compact() > 1
    assert chunk_sizes(store) == [4096, 904]
    assert same(views.points("job", LOSS).values, writer.values[:5000])


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
    with store._databases.of("metric-history").write("test") as connection:
        connection.execute(chunk.update().where(~in_view).values(body=b"damaged"))

    found = views.overview("job", LOSS, buckets=100, start=50_000, stop=50_049)

    assert found.count == 50
    assert [bucket.last for bucket in found.buckets] == writer.values[50_000:50_050]
    with pytest.raises(DecodeError):
        views.overview("job", LOSS, buckets=100, start=40_000, stop=40_049)
