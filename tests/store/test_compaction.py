"""Compaction makes few chunks of many, and changes no point."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from consumers.errors import LeaseLost
from consumers.store.schema import series
from consumers.views.metric_history.chunks import MOST_POINTS, encode
from consumers.views.metric_history.series import insert_chunks
from tests.store.points import AT_ONCE, LOSS, Writer, chunk_sizes, chunks_of, loose_series, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.store.store import Store
    from consumers.views.reader import StoredViews


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
    store.leases.release(first.lease)
    second = Writer(new_store(), "second")

    assert second.compact() == 1
    assert chunk_sizes(store) == [200]
    assert same(views.points("job", LOSS).values, first.values[:200])


def test_an_owner_that_lost_its_lease_compacts_nothing(
    store: Store, new_store: Callable[[], Store]
) -> None:
    stalled = Writer(store)
    stalled.write([10] * 20)
    assert store.leases.renew(stalled.lease, AT_ONCE)
    Writer(new_store(), "second")

    with pytest.raises(LeaseLost):
        stalled.compact()

    assert chunk_sizes(store) == [10] * 20


def test_a_series_of_many_small_chunks_is_merged_in_several_transactions(
    store: Store, views: StoredViews
) -> None:
    writer = Writer(store)
    writer.write([1, 1])
    rows = [encode(writer.points(n, 1)) for n in range(2, 5000)]
    with store.databases.of("metric-history").write("test") as connection:
        (number,) = connection.execute(series.select()).scalars()
        insert_chunks(connection, [(number, chunks) for chunks in rows])

    assert writer.compact() > 1
    assert chunk_sizes(store) == [4096, 904]
    assert same(views.points("job", LOSS).values, writer.values[:5000])
