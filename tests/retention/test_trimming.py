"""Streams are trimmed up to what every projection has for good; nobody misses what is gone."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from consumers.projector.partition import Held
from consumers.views import names as projections
from consumers.views.archive.fold import ArchiveFold
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.opening import open_archive, open_store
from synapse_stream.entries.answers import Outcome
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable, Trimmed
from synapse_stream.log.trimming import TrimLog
from synapse_stream.operating.retention import Trimmer
from synapse_stream.reading.job_reader import JobReader
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.projecting import project, view_of
from tests.support.raw import client_of
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.store.store import Store
    from synapse_stream.entries.answers import TrimCount
    from synapse_stream.entries.batch import Batch
    from synapse_stream.log.event_log import EventLog

JOB = "job-1"
on_both = pytest.mark.parametrize("brief", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def reader(trim_log: TrimLog, brief: Settings) -> Iterator[JobReader]:
    reader = JobReader(trim_log, lambda: open_archive(brief))
    yield reader
    reader.close()


def report(log: EventLog, chain: Chain, count: int) -> None:
    for _ in range(count):
        log.append(chain.add({}, {}))
    time.sleep(0.003)  # beyond the windows, which are a millisecond


def trim_all(store: Store, log: TrimLog, settings: Settings) -> TrimCount:
    trimmer = Trimmer(store, log, settings)
    first, *others = [trimmer.trim(cut) for cut in trimmer.cuts()]
    for other in others:
        first = first.plus(other)
    return first


def stream_length(log: EventLog, job_id: str = JOB) -> int | None:
    info = log.stream_info(log.keys.job(job_id))
    return None if info is None else info[b"length"]


def batches(reader: JobReader, job_id: str = JOB) -> list[Batch]:
    return [entry.batch for entry in reader.entries(job_id) if entry.batch]


@on_both
def test_what_all_have_is_trimmed_and_read_from_the_archive(
    trim_log: TrimLog, brief: Settings, store: Store, reader: JobReader
) -> None:
    chain = Chain(JOB)
    report(trim_log, chain, 30)
    assert trim_all(store, trim_log, brief).entries == 0  # nobody has anything

    project(brief)

    assert trim_all(store, trim_log, brief)[:3] == (30, 60, 1)
    assert trim_log.read_feed(trim_log.keys.partition(JOB)) == []
    assert batches(reader) == chain.batches


def test_an_ended_run_that_goes_on_after_its_stream_was_dropped_reads_as_one(
    trim_log: TrimLog, brief: Settings, store: Store, reader: JobReader
) -> None:
    first, second = Chain(JOB), Chain(JOB, "producer-2")
    report(trim_log, first, 5)
    project(brief)
    trim_all(store, trim_log, brief)
    assert stream_length(trim_log) is None

    report(trim_log, second, 2)
    report(trim_log, first, 1)

    assert batches(reader) == [*first.batches[:5], *second.batches, first.batches[5]]
    places = [entry[:2] for entry in reader.entries(JOB)]
    assert places == sorted(set(places))


def test_what_is_sent_again_after_its_stream_was_dropped_is_known(
    trim_log: TrimLog, brief: Settings, store: Store
) -> None:
    chain = Chain(JOB)
    report(trim_log, chain, 5)
    project(brief)
    trim_all(store, trim_log, brief)

    acks = [trim_log.append(batch) for batch in chain.batches]

    assert {(ack.outcome, ack.last) for ack in acks} == {(Outcome.KNOWN, chain.last)}
    assert stream_length(trim_log) is None


@pytest.mark.parametrize("missing", projections())
def test_each_projection_holds_back_what_it_has_not(
    trim_log: TrimLog, brief: Settings, store: Store, missing: str
) -> None:
    chain = Chain(JOB)
    report(trim_log, chain, 4)
    project(brief)
    report(trim_log, chain, 3)
    lease = store.leases.acquire(missing, trim_log.keys.partition(JOB), "slow", 60)
    assert lease is not None  # so that `project` below cannot have it
    newest = trim_log.feed_last(lease.partition)
    for name in projections():
        if name != missing:
            other = store.leases.acquire(name, lease.partition, "quick", 60)
            assert other is not None
            store.commit(other, newest, [], [], 60)

    trim_all(store, trim_log, brief)

    there = trim_log.read_after(JOB, BEGINNING)
    assert [entry.batch for entry in there][-3:] == chain.batches[4:]
    assert (there[0].ms, there[0].seq) <= lease.position or len(there) == 3


def test_the_hot_window_stays_unless_the_server_is_too_full(
    trim_log: TrimLog, brief: Settings, store: Store
) -> None:
    report(trim_log, Chain(JOB), 4)
    project(brief)

    hot = brief.model_copy(update={"hot_seconds": 60.0})
    assert trim_all(store, trim_log, hot).entries == 0

    full = hot.model_copy(update={"hot_bytes": 1})
    assert trim_all(store, trim_log, full).entries == 4


def test_a_small_server_is_trimmed_by_its_own_limit_also_when_it_takes_no_more(
    tmp_path: Path,
) -> None:
    with TestServer(tmp_path / "server", config={"maxmemory": "12mb"}) as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, partitions=2)
        log, store = TrimLog.open(settings), open_store(settings)
        log.check()
        chain, count = Chain(JOB), 0
        with pytest.raises(LogUnavailable, match="memory"):  # noqa: PT012 - some append is refused
            while count < 10_000:
                log.append(chain.add({"type": "log", "v": 1, "data": os.urandom(6_000).hex()}))
                count += 1
        project(settings)

        cuts = Trimmer(store, log, settings).cuts()
        # what came in the last seconds is kept: projections read so far back
        later = [cut._replace(before_ms=log.now_ms()) for cut in cuts]
        removed = [Trimmer(store, log, settings).trim(cut).entries for cut in later]

        assert settings.hot_seconds == 3600
        assert all(log.now_ms() - cut.before_ms < 60_000 for cut in cuts)
        assert sum(removed) == count
        log.append(Chain("another").add({}))
        log.close()
        store.close()


def test_large_partitions_are_trimmed_in_steps_to_the_same_end(
    trim_log: TrimLog, brief: Settings, store: Store, reader: JobReader
) -> None:
    chains = [Chain(f"job-{number}") for number in range(4)]
    for _ in range(9):
        for chain in chains:
            report(trim_log, chain, 1)
    project(brief)

    for cut in Trimmer(store, trim_log, brief).cuts():
        expected = trim_log.count_before(cut.partition, (cut.before_ms, 0), limit=5)
        steps: list[TrimCount] = []
        while not steps or not steps[-1].is_done:
            steps.append(trim_log.trim(cut.partition, (cut.before_ms, 0), limit=5))
            for chain in chains:
                assert batches(reader, chain.job_id) == chain.batches
        assert sum(step.entries for step in steps) == expected.entries
        assert sum(step.events for step in steps) == expected.events
    assert [stream_length(trim_log, chain.job_id) for chain in chains] == [None] * 4


def test_a_cut_that_is_applied_late_takes_nothing_that_came_since(
    trim_log: TrimLog, brief: Settings, store: Store
) -> None:
    chain = Chain(JOB)
    report(trim_log, chain, 4)
    project(brief)
    trimmer = Trimmer(store, trim_log, brief)
    cuts = trimmer.cuts()

    report(trim_log, chain, 3)
    for cut in cuts:
        trimmer.trim(cut)

    assert [entry.batch for entry in trim_log.read_after(JOB, BEGINNING)] == chain.batches[4:]


def test_what_was_read_of_the_store_is_brought_to_the_disk_before_it_is_used(
    trim_log: TrimLog, brief: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(trim_log, Chain(JOB), 1)
    project(brief)
    synced: list[str] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    store.leases.durable_positions(projections())

    folder: Path = brief.data_dir / "views"
    assert {f"{folder}/{name}.db-wal" for name in projections()} < set(synced)


@contextmanager
def stopped_wal_writer(connection: psycopg.Connection) -> Iterator[None]:
    """Stop the process that flushes what nobody waits for."""
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"
    [pid] = connection.execute(query).fetchone() or ()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("brief", ["postgres"], indirect=True)
def test_commits_of_a_lax_postgres_are_flushed_before_they_are_used(
    trim_log: TrimLog, brief: Settings, store: Store
) -> None:
    report(trim_log, Chain(JOB), 1)
    project(brief)
    with (
        psycopg.connect(str(brief.store_url), autocommit=True) as other,
        stopped_wal_writer(other),
    ):
        other.execute("CREATE TABLE lax (n integer)")
        other.execute("SET synchronous_commit = off")
        other.execute("INSERT INTO lax VALUES (1)")
        is_flushed = "SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn"
        [written] = other.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ()
        assert other.execute(is_flushed, [written]).fetchone() == (False,)

        store.leases.durable_positions(projections())

        assert other.execute(is_flushed, [written]).fetchone() == (True,)


@on_both
def test_a_retired_projection_is_not_waited_for_and_must_not_come_back_as_it_is(
    trim_log: TrimLog, brief: Settings, store: Store
) -> None:
    chain = Chain(JOB)
    report(trim_log, chain, 4)
    project(brief)
    lease = store.leases.acquire(MessageFeedView.name, trim_log.keys.partition(JOB), "gone", 60)
    assert lease is not None
    report(trim_log, chain, 3)
    trim_log.retire(MessageFeedView.name, 1)
    for name in set(projections()) - {MessageFeedView.name}:
        other = store.leases.acquire(name, lease.partition, "quick", 60)
        assert other is not None
        store.commit(other, trim_log.feed_last(lease.partition), [], [], 60)

    assert trim_all(store, trim_log, brief).entries == 7

    held = Held(view_of(MessageFeedView), store, lease, brief)
    with pytest.raises(Trimmed, match=r"was retired, .* synapse-stream rebuild message-feed"):
        held.begin(trim_log)
    trim_log.restore(MessageFeedView.name)
    held.begin(trim_log)  # and is filled by itself, as it is retired no more
    assert store.rebuilds.count_due(MessageFeedView.name) == 1


def test_an_older_copy_of_a_database_is_not_read_on_from(
    trim_log: TrimLog, brief: Settings, store: Store
) -> None:
    report(trim_log, Chain(JOB), 4)
    project(brief)
    partition = trim_log.keys.partition(JOB)
    lease = store.leases.acquire(ArchiveFold.name, partition, "copy", 60)
    assert lease is not None
    trim_all(store, trim_log, brief)

    Held(view_of(ArchiveFold), store, lease, brief).begin(trim_log)  # has all
    older = lease._replace(position=(lease.position[0] - 1, 0))
    with pytest.raises(Trimmed, match="is its database an older copy"):
        Held(view_of(ArchiveFold), store, older, brief).begin(trim_log)


def test_a_foreign_key_in_the_place_of_a_stream_is_left_alone(
    trim_log: TrimLog, brief: Settings, store: Store
) -> None:
    report(trim_log, Chain(JOB), 1)
    project(brief)
    client_of(trim_log).execute_command("DEL", trim_log.keys.job(JOB))
    client_of(trim_log).execute_command("SET", trim_log.keys.job(JOB), "mine")

    assert trim_all(store, trim_log, brief).entries == 0
    assert client_of(trim_log).execute_command("GET", trim_log.keys.job(JOB)) == b"mine"
