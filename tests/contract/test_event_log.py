"""The log's promises, on every server program of this machine."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import fakeredis
import pytest

from synapse_stream.entries.answers import Ack, Outcome
from synapse_stream.entries.batch import GENESIS
from synapse_stream.entries.entry import FeedPointer
from synapse_stream.entries.keys import Keys
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import EventLog, open_log
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.raw import client_of
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import RecordedBatch


@pytest.fixture(params=["server", "fake"])
def any_log(request: pytest.FixtureRequest, log: EventLog) -> Iterator[EventLog]:
    if request.param == "server":
        yield log
    else:
        with fakeredis.FakeRedis() as client:
            yield EventLog(client, Keys("fake", 16), "fake")


def batches(log: EventLog, job_id: str = "job-1") -> list[Batch | None]:
    return [recorded.batch for recorded in log.read_after(job_id, BEGINNING, limit=10_000)]


def place(recorded: RecordedBatch) -> Position:
    return Position(recorded.ms, recorded.seq)


def append_for_ever(log: EventLog, chain: Chain) -> None:
    while chain.last < 20_000:
        log.append(chain.add({"type": "log", "event": "x" * 500}))


def test_what_is_appended_is_read_back_in_order(any_log: EventLog) -> None:
    chain = Chain()
    acks = [any_log.append(chain.add({}, {}, {})) for _ in range(3)]

    assert batches(any_log) == chain.batches
    assert [ack.outcome for ack in acks] == [Outcome.APPENDED] * 3
    assert [(ack.last, ack.hash) for ack in acks] == [(b.last, b.hash) for b in chain.batches]
    assert [ack.entry for ack in acks] == [
        (recorded.ms, recorded.seq) for recorded in any_log.read_after("job-1", BEGINNING)
    ]


def test_a_batch_sent_again_is_known_and_changes_nothing(any_log: EventLog) -> None:
    chain = Chain()
    for _ in range(3):
        any_log.append(chain.add())

    again = [any_log.append(batch) for batch in chain.batches * 33]

    assert {ack.outcome for ack in again} == {Outcome.KNOWN}
    assert {(ack.last, ack.hash) for ack in again} == {(2, chain.batches[-1].hash)}
    assert batches(any_log) == chain.batches


def test_a_batch_beyond_the_last_number_is_a_gap_and_changes_nothing(any_log: EventLog) -> None:
    chain = Chain()
    first, _, third = chain.add({}, {}), chain.add(), chain.add()
    any_log.append(first)

    ack = any_log.append(third)

    assert ack == (Outcome.GAP, 1, first.hash, None)
    assert batches(any_log) == [first]


def test_a_new_producer_must_begin_at_zero(any_log: EventLog) -> None:
    chain = Chain()
    chain.add()

    assert any_log.append(chain.add()) == (Outcome.GAP, -1, GENESIS, None)
    assert batches(any_log) == []


def test_producers_of_a_job_are_numbered_apart(any_log: EventLog) -> None:
    one, two = Chain(producer="one"), Chain(producer="two")
    for chain in (one, two, one):
        any_log.append(chain.add({}, {}))

    assert any_log.heads([("job-1", "one")])[0].last == 3
    assert any_log.heads([("job-1", "two")])[0].last == 1
    assert any_log.heads([("job-1", "three")])[0] == (Outcome.KNOWN, -1, GENESIS, None)
    assert batches(any_log) == [one.batches[0], two.batches[0], one.batches[1]]


@pytest.mark.parametrize("size", [256, 100_000])
def test_any_bytes_survive(any_log: EventLog, size: int) -> None:
    chain = Chain(job_id="Jöb:🚀", producer="p\n\r")
    batch = chain.add_data((bytes(range(256)) * size)[:size], 2 + size // 256)
    any_log.append(batch)

    assert batches(any_log, chain.job_id) == [batch]
    assert any_log.heads([(chain.job_id, chain.producer)])[0].hash == batch.hash
    partition = any_log.keys.partition(chain.job_id)
    assert [pointer.job_id for pointer in any_log.read_feed(partition)] == [chain.job_id]


def test_the_feed_points_to_every_entry_of_its_partition_in_order(any_log: EventLog) -> None:
    chains = [Chain(f"job-{n}") for n in range(40)]
    acks = [(any_log.append(chain.add()), chain) for chain in chains * 2]

    for partition in range(16):
        expected = [
            FeedPointer(ack.entry or (0, 0), chain.job_id, 1)
            for ack, chain in acks
            if any_log.keys.partition(chain.job_id) == partition
        ]
        assert any_log.read_feed(partition) == expected
        assert any_log.read_feed(partition, limit=1) == expected[:1]
        assert any_log.read_feed(partition, expected[0].entry) == expected[1:]
        assert any_log.read_feed(partition, expected[0].entry, block_ms=10) == expected[1:]


def test_an_entry_that_is_no_batch_comes_back_in_its_place(
    server: TestServer, log: EventLog
) -> None:
    chain = Chain()
    log.append(chain.add())
    with server.client() as client:
        client.xadd(log.keys.job("job-1"), {"p": "x", "n": "zero"})
    log.append(chain.add())

    good, bad, late = log.read_after("job-1", BEGINNING)

    assert (good.batch, late.batch) == tuple(chain.batches)
    assert bad.batch is None
    assert bad.raw == {b"p": b"x", b"n": b"zero"}
    assert "'job-1'" in (bad.error or "")


def test_reading_pages_by_position(log: EventLog) -> None:
    chain = Chain()
    for _ in range(5):
        log.append(chain.add())
    recorded = log.read_after("job-1", BEGINNING)

    assert log.read_after("job-1", BEGINNING, limit=2) == recorded[:2]
    assert log.read_after("job-1", place(recorded[2])) == recorded[2:]
    assert log.read_after("job-1", BEGINNING, until=place(recorded[2])) == recorded[:3]
    assert log.wait_after("job-1", place(recorded[2]), block_ms=1) == recorded[3:]
    assert log.wait_after("job-1", place(recorded[4]), block_ms=1) == []
    assert log.read_after("no-job", BEGINNING) == []


def test_waiting_ends_as_soon_as_something_is_appended(log: EventLog) -> None:
    chain = Chain()
    ack = log.append(chain.add())
    position = Position(*(ack.entry or (0, 0)))
    seen: list[RecordedBatch] = []
    waiting = threading.Thread(
        target=lambda: seen.extend(log.wait_after("job-1", position, block_ms=5000))
    )
    waiting.start()
    second = log.append(chain.add())
    waiting.join()

    assert [(r.ms, r.seq) for r in seen] == [second.entry]


def test_a_server_that_forgot_the_script_is_taught_it(server: TestServer, log: EventLog) -> None:
    chain = Chain()
    log.append(chain.add())
    server.command("SCRIPT", "FLUSH")

    assert log.append(chain.add()).outcome is Outcome.APPENDED
    assert batches(log) == chain.batches


def test_out_of_memory_leaves_all_three_writes_or_none(tmp_path: Path, binary: str) -> None:
    with TestServer(tmp_path / "server", binary=binary) as server, server.client() as client:
        log = EventLog(client, Keys("synapse", 1), server.url)
        chain = Chain()
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 2_000_000)

        with pytest.raises(LogUnavailable, match="out of memory; raise its maxmemory"):
            append_for_ever(log, chain)
        refused = chain.batches.pop()

        assert len(chain.batches) > 100
        assert batches(log) == chain.batches
        assert log.heads([("job-1", "producer-1")])[0].last == chain.last
        assert len(log.read_feed(0, limit=20_000)) == len(chain.batches)
        client.config_set("maxmemory", 0)
        assert log.append(refused).outcome is Outcome.APPENDED


@pytest.mark.parametrize("name", ["job", "producers", "feed"])
def test_a_foreign_key_in_the_way_is_named_and_nothing_is_written(
    server: TestServer, log: EventLog, name: str
) -> None:
    chain = Chain()
    feed = log.keys.feed(log.keys.partition("job-1"))
    key = {"job": log.keys.job("job-1"), "producers": log.keys.producers("job-1"), "feed": feed}[
        name
    ]
    with server.client() as client:
        client.set(key, "foreign")

        with pytest.raises(LogUnavailable, match=r"key of another type .* job 'job-1'"):
            log.append(chain.add())

        client.delete(key)
        assert [client.xlen(log.keys.job("job-1")), client.xlen(feed)] == [0, 0]
    assert log.append(chain.batches[0]).outcome is Outcome.APPENDED


def test_a_deleted_feed_goes_on_above_the_job_with_equal_ids(
    server: TestServer, log: EventLog
) -> None:
    chain, partition = Chain(), log.keys.partition("job-1")
    top = 1 << 45  # a job's top can only lie ahead of the clock when the clock went back
    with server.client() as client:
        client.xadd(log.keys.job("job-1"), {"p": "x"}, id=f"{top}-7")

        acks = [log.append(chain.add()) for _ in range(3)]

    assert [ack.entry for ack in acks] == [(top, 8), (top, 9), (top, 10)]
    assert [pointer.entry for pointer in log.read_feed(partition)] == [ack.entry for ack in acks]


def test_a_replica_refuses_and_says_so(tmp_path: Path, server: TestServer, log: EventLog) -> None:
    config = {"replicaof": f"127.0.0.1 {server.port}"}
    with TestServer(tmp_path / "replica", config=config) as replica:
        replica_log = open_log(Settings(redis_url=replica.url, data_dir=tmp_path))

        with pytest.raises(LogUnavailable, match="is a read-only replica; name the primary"):
            replica_log.append(Chain().add())
        replica_log.close()


def test_the_login_is_refused_without_showing_the_password(tmp_path: Path, binary: str) -> None:
    config = {"requirepass": "right"}
    with TestServer(tmp_path / "server", binary=binary, config=config) as server:
        for url in (server.url, f"redis://:wrong@127.0.0.1:{server.port}"):
            log = open_log(Settings(redis_url=url, data_dir=tmp_path))
            with pytest.raises(LogUnavailable, match="did not accept the login") as caught:
                log.append(Chain().add())
            assert "wrong" not in str(caught.value)
            log.close()


def test_a_batch_is_never_changed_on_its_way(log: EventLog) -> None:
    chain = Chain()
    log.append(chain.add({"event": "x" * 5000}))

    (read,) = batches(log)

    assert read is not None
    assert read.is_linked_to(GENESIS)
    assert not replace(read, data=read.data + b" ").is_linked_to(GENESIS)


def test_what_is_wrong_with_one_batch_of_many_costs_the_others_nothing(log: EventLog) -> None:
    log.check()
    chains = [Chain(f"job-{number}") for number in range(300)]
    client_of(log).execute_command("SET", log.keys.job("job-7"), "text")
    client_of(log).execute_command("SET", log.keys.producers("job-8"), "text")
    chains[9].add()  # is lacking there

    answers = log.append_all([chain.add() for chain in chains])

    failed = {number for number, answer in enumerate(answers) if not isinstance(answer, Ack)}
    assert failed == {7, 8}
    for number in failed:
        assert isinstance(answer := answers[number], LogUnavailable)
        assert answer.is_refusal
        assert f"appending to job 'job-{number}'" in str(answer)
        assert "key of another type" in str(answer)
    taken = [answer for answer in answers if isinstance(answer, Ack)]
    assert [ack.outcome for ack in taken].count(Outcome.APPENDED) == 297
    assert taken[7].outcome is Outcome.GAP  # of job-9
    for number in (0, 6, 10, 299):
        (entry,) = log.read_after(f"job-{number}", BEGINNING)
        assert entry.batch == chains[number].batches[0]
    pointed = [pointer for each in range(16) for pointer in log.read_feed(each)]
    assert len(pointed) == 297
