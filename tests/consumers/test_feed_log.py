"""The feeds, several at a time, and the entries that they point to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from synapse_stream.errors import LogUnavailable
from synapse_stream.log.feeds import FeedLog
from synapse_stream.settings import Settings
from tests.consumers.groups import groups
from tests.support.chains import Chain
from tests.support.cluster import TestCluster
from tests.support.raw import client_of
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from synapse_stream.entries.entry import FeedPointer

BEGINNING = (0, 0)


def jobs_in_partition(log: FeedLog, partition: int, count: int) -> list[str]:
    names = (f"job-{number}" for number in range(10_000))
    found = [name for name in names if log.keys.partition(name) == partition]
    return found[:count]


def fill(log: FeedLog, jobs: Iterable[str], rounds: int) -> list[tuple[str, int, int]]:
    """Append to the jobs in turn; return job, first and last number of each entry."""
    chains = [Chain(job, f"producer of {job}") for job in jobs]
    batches = [chain.add(*[{}] * (n % 3 + 1)) for n in range(rounds) for chain in chains]
    for batch in batches:
        log.append(batch)
    return [(batch.job_id, batch.first, batch.last) for batch in batches]


def read(log: FeedLog, pointers: list[FeedPointer]) -> list[tuple[str, int, int]]:
    partition = next(log.keys.partition(one.job_id) for one in pointers if one.job_id)
    found = log.read_entries(partition, pointers)
    return [(job, r.batch.first, r.batch.last) for job, r in found if r.batch is not None]


def test_several_feeds_are_read_at_once_each_behind_its_own_position(feeds: FeedLog) -> None:
    one, two = jobs_in_partition(feeds, 1, 1), jobs_in_partition(feeds, 2, 1)
    fill(feeds, one + two, 4)
    first = feeds.wait_feeds({1: BEGINNING, 2: BEGINNING, 3: BEGINNING}, limit=100, block_ms=1)
    assert {partition: len(pointers) for partition, pointers in first.items()} == {1: 4, 2: 4}

    after = {1: first[1][2].entry, 2: first[2][3].entry}
    rest = feeds.wait_feeds(after, limit=100, block_ms=1)

    assert rest == {1: first[1][3:]}
    assert [pointer.count for pointer in first[1]] == [1, 2, 3, 1]


def test_no_more_pointers_than_wanted_are_read_the_oldest_first(feeds: FeedLog) -> None:
    fill(feeds, jobs_in_partition(feeds, 1, 1), 5)
    all_of_them = feeds.wait_feeds({1: BEGINNING}, limit=100, block_ms=1)[1]

    assert feeds.wait_feeds({1: BEGINNING}, limit=2, block_ms=1) == {1: all_of_them[:2]}


@pytest.mark.parametrize("block_ms", [5, 0, -1])  # 0 would be for ever
def test_waiting_for_quiet_feeds_comes_back_empty(feeds: FeedLog, block_ms: int) -> None:
    assert feeds.wait_feeds({1: BEGINNING, 2: BEGINNING}, limit=10, block_ms=block_ms) == {}


def test_commands_that_are_refused_end_no_wait_of_another_thread(
    server: TestServer, feeds: FeedLog
) -> None:
    with server.client() as client:
        client.set(feeds.keys.producers("job-1"), "no hash")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(feeds.wait_feeds, {1: BEGINNING}, limit=10, block_ms=5_000)
        wait_until(lambda: server.command("INFO", "clients")["blocked_clients"] == 1)
        batch = Chain("job-1", "me").add()
        for ask in (lambda: feeds.heads([("job-1", "me")]), lambda: feeds.append(batch)):
            with pytest.raises(LogUnavailable, match="another type"):
                ask()
        fill(feeds, jobs_in_partition(feeds, 1, 1), 1)

        assert len(waiting.result()[1]) == 1


def test_entries_of_several_jobs_come_in_the_order_of_the_feed(feeds: FeedLog) -> None:
    expected = fill(feeds, jobs_in_partition(feeds, 3, 4), 6)
    pointers = feeds.wait_feeds({3: BEGINNING}, limit=100, block_ms=1)[3]

    assert read(feeds, pointers) == expected
    assert read(feeds, pointers[5:11]) == expected[5:11]


def test_an_entry_that_is_gone_is_left_out(feeds: FeedLog) -> None:
    (job,) = jobs_in_partition(feeds, 3, 1)
    expected = fill(feeds, [job], 4)
    pointers = feeds.wait_feeds({3: BEGINNING}, limit=100, block_ms=1)[3]
    gone = "{}-{}".format(*pointers[1].entry)
    client_of(feeds).execute_command("XDEL", feeds.keys.job(job), gone)

    assert read(feeds, pointers) == [expected[0], *expected[2:]]


def test_an_entry_of_a_feed_that_is_no_pointer_points_to_nothing(feeds: FeedLog) -> None:
    (job,) = jobs_in_partition(feeds, 3, 1)
    expected = fill(feeds, [job], 1)
    for fields in (("a", "b"), ("j", b"\xff", "n", 1), ("j", job, "n", "many")):
        client_of(feeds).execute_command("XADD", feeds.keys.feed(3), "*", *fields)

    pointers = feeds.wait_feeds({3: BEGINNING}, limit=100, block_ms=1)[3]

    assert pointers[-1].entry == feeds.feed_last(3)
    assert [pointer.job_id for pointer in pointers] == [job, "", "", job]
    assert ["no pointer" in (pointer.fault or "") for pointer in pointers] == [0, 1, 1, 0]
    assert read(feeds, pointers) == expected
    assert read(feeds, pointers[1:]) == []


def test_the_last_id_of_a_feed_is_that_of_its_newest_entry_even_if_that_is_gone(
    feeds: FeedLog,
) -> None:
    assert feeds.feed_last(5) == BEGINNING
    fill(feeds, jobs_in_partition(feeds, 5, 1), 3)
    last = feeds.wait_feeds({5: BEGINNING}, limit=100, block_ms=1)[5][-1].entry
    client_of(feeds).execute_command("XTRIM", feeds.keys.feed(5), "MAXLEN", 0)

    assert feeds.feed_last(5) == last


def test_a_mirrored_position_can_move_both_ways_on_a_feed_that_may_not_exist(
    feeds: FeedLog,
) -> None:
    seen = []
    for position in ((5, 1), (9, 0), (3, 2)):
        feeds.mirror("run-state", 4, position)
        seen.append(groups(feeds, 4))

    assert seen == [{"run-state": "5-1"}, {"run-state": "9-0"}, {"run-state": "3-2"}]


def test_a_server_that_was_started_anew_is_noticed_though_no_command_fails(
    tmp_path: Path,
) -> None:
    with TestServer(tmp_path / "server") as server:
        log = FeedLog.open(Settings(redis_url=server.url))
        log.check()
        log.check_same_server()
        server.restart()

        with pytest.raises(LogUnavailable, match="was started again"):
            log.check_same_server()

        log.check()
        log.check_same_server()
        log.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    with TestCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_a_cluster_is_read_like_a_server(cluster: TestCluster) -> None:
    log = FeedLog.open(Settings(redis_url=cluster.url))
    log.check()
    expected = {p: fill(log, jobs_in_partition(log, p, 2), 3) for p in (0, 1, 2, 3)}
    assert log.wait_feeds({7: BEGINNING}, limit=100, block_ms=50) == {}

    found = log.wait_feeds(dict.fromkeys(range(16), BEGINNING), limit=100, block_ms=1000)

    assert {p: read(log, pointers) for p, pointers in found.items()} == expected
    assert {p: log.feed_last(p) for p in found} == {p: found[p][-1].entry for p in found}
    for partition in expected:
        log.mirror("run-state", partition, (1, 0))
    log.check_same_server()
    cluster.promote_replica()
    with pytest.raises(LogUnavailable, match="another has taken its place"):
        log.check_same_server()
    log.close()


def test_a_primary_that_was_replaced_for_a_moment_is_noticed(cluster: TestCluster) -> None:
    """Then the same processes answer for the same keys as before."""
    log = FeedLog.open(Settings(redis_url=cluster.url))
    log.check()
    cluster.promote_replica()
    cluster.promote_replica()

    with pytest.raises(LogUnavailable, match="another has taken its place"):
        log.check_same_server()

    log.check()
    log.check_same_server()
    log.close()
