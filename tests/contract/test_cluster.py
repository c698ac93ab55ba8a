"""The log on a Redis Cluster and behind Sentinel, across the promotion of a replica."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.entries.answers import Outcome
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import EventLog, open_log
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.cluster import TestCluster
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.entries.batch import Batch


@pytest.fixture(scope="module")
def shared_cluster(binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """Share one among the tests that kill no node."""
    with TestCluster(tmp_path_factory.mktemp("cluster"), binary=binary) as running:
        yield running


@pytest.fixture
def log(shared_cluster: TestCluster, namespace: str) -> Iterator[EventLog]:
    opened = cluster_log(shared_cluster, namespace)
    yield opened
    opened.close()


def cluster_log(cluster: TestCluster, namespace: str) -> EventLog:
    return open_log(Settings(redis_url=cluster.url, namespace=namespace))


def append_until_taken(log: EventLog, batch: Batch) -> int:
    """Append as the shipper does; return how many tries failed."""
    failures: list[str] = []

    def is_taken() -> bool:
        try:
            return log.append(batch).last == batch.last
        except LogUnavailable as error:
            failures.append(str(error))
            return False

    wait_until(is_taken)
    return len(failures)


def job_of_first_master(cluster: TestCluster, log: EventLog) -> str:
    """Find a job whose slot has a replica."""
    master = cluster.masters[0]
    return next(
        job
        for job in (f"job-{n}" for n in range(1000))
        if master.command("CLUSTER", "KEYSLOT", log.keys.job(job)) in cluster.first_slots
    )


def numbers(log: EventLog, job_id: str) -> list[int]:
    recorded = log.read_after(job_id, BEGINNING, limit=10_000)
    return [
        number for r in recorded if r.batch for number in range(r.batch.first, r.batch.last + 1)
    ]


def test_every_partition_works_on_a_cluster(log: EventLog) -> None:
    log.check()
    chains = [Chain(f"job-{n}") for n in range(60)]

    outcomes = {log.append(chain.add({}, {})).outcome for chain in chains * 2}

    assert outcomes == {Outcome.APPENDED}
    assert {log.keys.partition(chain.job_id) for chain in chains} == set(range(16))
    for chain in chains:
        recorded = log.read_after(chain.job_id, BEGINNING)
        assert [r.batch for r in recorded] == chain.batches
        position = Position(recorded[0].ms, recorded[0].seq)
        assert log.wait_after(chain.job_id, position, block_ms=10) == recorded[1:]
    assert sum(len(log.read_feed(partition)) for partition in range(16)) == 120
    assert log.server_report().eviction_policy == "noeviction"


def test_a_planned_promotion_loses_and_doubles_nothing(
    shared_cluster: TestCluster, log: EventLog
) -> None:
    chain = Chain(job_of_first_master(shared_cluster, log))
    for _ in range(20):
        append_until_taken(log, chain.add({}, {}))

    shared_cluster.promote_replica()
    for _ in range(20):
        append_until_taken(log, chain.add({}, {}))

    assert numbers(log, chain.job_id) == list(range(80))
    assert {log.append(batch).outcome for batch in chain.batches} == {Outcome.KNOWN}


def test_the_death_of_a_master_loses_and_doubles_nothing(
    tmp_path: Path, binary: str, namespace: str
) -> None:
    with TestCluster(tmp_path, binary=binary) as cluster:
        log = cluster_log(cluster, namespace)
        chain = Chain(job_of_first_master(cluster, log))
        for _ in range(20):
            append_until_taken(log, chain.add({}, {}))
        cluster.replica.catch_up_with(cluster.masters[0])

        cluster.kill(cluster.masters[0])
        failures = append_until_taken(log, chain.add({}, {}))
        for _ in range(19):
            append_until_taken(log, chain.add({}, {}))

        assert failures > 0
        assert numbers(log, chain.job_id) == list(range(80))
        assert cluster.replica.command("INFO", "replication")["role"] == "master"
        log.close()


def test_one_node_without_cluster_url_says_what_to_use(
    shared_cluster: TestCluster, log: EventLog
) -> None:
    chain = Chain(job_of_first_master(shared_cluster, log))
    single = open_log(Settings(redis_url=shared_cluster.masters[1].url))

    with pytest.raises(LogUnavailable, match=r"use a redis\+cluster:// URL"):
        single.append(chain.add())
    single.close()


def sentinel_of(primary: TestServer, home: Path, binary: str) -> TestServer:
    config = {
        "sentinel monitor": f"jobs 127.0.0.1 {primary.port} 1",
        "sentinel down-after-milliseconds": "jobs 60000",  # a primary that only stalls is not down
        "sentinel failover-timeout": "jobs 5000",
    }
    return TestServer(home, binary=binary, config=config, arguments=["--sentinel"])


def words_of(sentinel: TestServer, name: bytes) -> list[bytes]:
    """Return what the sentinel knows under a name of each replica."""
    with sentinel.client() as client:
        client.response_callbacks.clear()
        replicas = client.execute_command("SENTINEL", "REPLICAS", "jobs")
    return [replica[replica.index(name) + 1] for replica in replicas]


def test_sentinel_finds_the_new_primary(tmp_path: Path, binary: str) -> None:
    with (
        TestServer(tmp_path / "primary", binary=binary) as primary,
        TestServer(
            tmp_path / "replica",
            binary=binary,
            config={"replicaof": f"127.0.0.1 {primary.port}", "repl-diskless-sync-delay": "0"},
        ) as replica,
        sentinel_of(primary, tmp_path / "sentinel", binary) as sentinel,
    ):
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/jobs"
        log = open_log(Settings(redis_url=url, data_dir=tmp_path))
        chain = Chain()
        for _ in range(10):
            append_until_taken(log, chain.add({}, {}))
        sentinel.command("SENTINEL", "DEBUG", "INFO-PERIOD", 200)
        wait_until(lambda: b"ok" in words_of(sentinel, b"master-link-status"))
        replica.catch_up_with(primary)

        primary.kill()
        sentinel.command("SENTINEL", "SET", "jobs", "down-after-milliseconds", 500)
        failures = append_until_taken(log, chain.add({}, {}))

        assert failures > 0
        assert numbers(log, "job-1") == list(range(22))
        assert replica.command("INFO", "replication")["role"] == "master"
        log.close()
