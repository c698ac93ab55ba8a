"""The loop itself, in this process: what it asks for, and what it does about faults."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event, func, select

from consumers.projector.loop import Projector
from consumers.store.leases import Leases
from consumers.store.schema import chunk
from consumers.store.store import Store
from consumers.views.archive.fold import ArchiveFold
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.opening import open_databases
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.batch import encode_fields
from synapse_stream.log.feeds import FeedLog
from synapse_stream.settings import Settings
from tests.consumers.groups import groups
from tests.support.chains import Chain
from tests.support.machine import needed
from tests.support.projecting import view_of
from tests.support.raw import client_of
from tests.support.scenes import calls
from tests.support.scenes.clock import NO_FAKETIME, ClockedServer, find_faketime
from tests.support.scenes.stage import Stage
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from consumers.store.databases import Databases
    from consumers.store.lease import Lease
    from synapse_stream.entries.batch import Batch
    from synapse_stream.ports.job_view import JobView

PATIENCE_SECONDS = 60.0
VIEWS: list[type[JobView]] = [RunStateView, MetricHistoryView, MessageFeedView]


class CountingLog(FeedLog):
    """Counts its waits, and calls `between` before the next."""

    waits = 0
    idle_waits = 0
    """Those for which there was time, and that found nothing."""
    between: Callable[[], None] | None = None

    def wait_feeds(self, *arguments: Any, block_ms: int, **options: Any) -> Any:
        between, CountingLog.between = CountingLog.between, None
        if between is not None:
            between()
        found = super().wait_feeds(*arguments, block_ms=block_ms, **options)
        CountingLog.waits += 1
        CountingLog.idle_waits += block_ms > 1 and not found
        return found


class CountingLeases(Leases):
    """Counts how often their owner joins the members, and at which wait of the log it did."""

    def __init__(self, databases: Databases) -> None:
        super().__init__(databases)
        self.joined_at: Counter[int] = Counter()

    def join(self, *arguments: Any) -> list[str]:
        self.joined_at[CountingLog.waits] += 1
        return super().join(*arguments)


class CountingStore(Store):
    """A store with such leases."""

    leases: CountingLeases

    def __init__(self, settings: Settings) -> None:
        super().__init__(open_databases(settings))
        self.leases = CountingLeases(self.databases)


@contextmanager
def projecting(stage: Stage, view: type[JobView]) -> Iterator[CountingStore]:
    """Run a projector in a thread of its own."""
    stop = threading.Event()
    settings = stage.settings
    store = CountingStore(settings)
    projector = Projector(
        view_of(view), store, lambda: CountingLog.open(settings), settings, owner="me"
    )
    thread = threading.Thread(target=projector.run, args=(stop,))
    thread.start()
    try:
        yield store
    finally:
        stop.set()
        thread.join()
        store.close()


def commands(server: TestServer) -> int:
    return int(server.command("INFO", "stats")["total_commands_processed"])


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collect every SQL statement of this process."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def turns(server: TestServer, count: int) -> tuple[int, set[str]]:
    """Let a projector do so many turns; return how many commands and which statements it needs."""
    spoken: list[int] = []

    def listen() -> None:
        spoken.append(commands(server))
        if len(spoken) <= count:
            CountingLog.between = listen

    with counted_statements() as statements:
        CountingLog.between = listen
        wait_until(lambda: len(spoken) > count)
    return spoken[-1] - spoken[0], set(statements)


@pytest.mark.parametrize("view", VIEWS)
def test_an_idle_projector_asks_nothing_about_jobs_however_many_there_are(
    tmp_path: Path, view: type[JobView]
) -> None:
    asked: dict[int, set[str]] = {}
    spoken: dict[int, int] = {}
    for jobs in (2, 150):
        with TestServer(tmp_path / f"server-{jobs}") as server:
            settings = Settings(
                redis_url=server.url,
                data_dir=tmp_path / str(jobs),
                partitions=2,
                lease_seconds=0.9,  # a wait ends when leases are renewed, so each turn does
            )
            with Stage(tmp_path / f"stage-{jobs}", settings) as stage, projecting(stage, view):
                for number in range(jobs):
                    stage.report(f"job-{number}", 3)
                stage.wait_until_caught_up([view.name])
                idle_from = CountingLog.idle_waits + 2  # what was read last may be mirrored between
                wait_until(lambda: CountingLog.idle_waits >= idle_from)  # noqa: B023
                spoken[jobs], asked[jobs] = turns(server, 2)

    assert spoken[150] <= spoken[2] + 4
    assert asked[150] <= asked[2] | {s for s in asked[150] if "job" not in s}


def test_a_tail_that_was_lost_unnoticed_is_read_when_it_comes_again_with_older_ids(
    tmp_path: Path,
) -> None:
    """The server loses its tail while no command is under way, so none fails."""
    faketime = needed(find_faketime(), NO_FAKETIME)
    with ClockedServer(tmp_path / "server", faketime) as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, lease_seconds=1.0)
        with Stage(tmp_path / "stage", settings) as stage:
            is_back = threading.Event()
            stage.report("job", 30)
            server.save_files(tmp_path / "copy")

            def lose_the_tail() -> None:
                server.set_clock(-3600)
                server.put_back(tmp_path / "copy")
                last = stage.log.heads([("job", "producer of job")])[0].last
                for batch in stage.jobs["job"].batches:
                    if batch.first > last:
                        stage.log.append(batch)
                is_back.set()

            with projecting(stage, MessageFeedView):
                stage.wait_until_caught_up(["message-feed"])
                stage.report("job", 40)
                stage.wait_until_caught_up(["message-feed"])
                CountingLog.between = lose_the_tail
                assert is_back.wait(30)
                stage.report("job", 20)

                tally = stage.settle(positions=False, projections=["message-feed"])

    assert tally.problems == []


def positions(store: Store) -> list[tuple[int, int]]:
    return [checkpoint.position for checkpoint in store.leases.checkpoints("message-feed")]


def put(stage: Stage, batch: Batch, ms: int) -> None:
    """Append a batch under an id of our choice."""
    flat = [item for pair in encode_fields(batch).items() for item in pair]
    put_entry(stage, batch.job_id, ms, flat, batch.last - batch.first + 1)


def put_entry(stage: Stage, job: str, ms: int, fields: Sequence[Any], count: int = 1) -> None:
    """Append any entry under an id of our choice."""
    keys, client = stage.log.keys, client_of(stage.log)
    feed = keys.feed(keys.partition(job))
    client.execute_command("XADD", feed, f"{ms}-0", "j", job, "n", count)
    client.execute_command("XADD", keys.job(job), f"{ms}-0", *fields)


def test_what_came_again_with_older_ids_while_no_consumer_ran_is_read_from_the_overlap(
    tmp_path: Path,
) -> None:
    """Meanwhile the feed's last id has passed the checkpoint again, so it tells nothing."""
    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, rewind_seconds=60)
        with Stage(tmp_path / "stage", settings) as stage:
            chain = stage.jobs["job"] = Chain("job", "producer")
            batches = [chain.add(calls.expected("0.0", n, 10)) for n in range(20)]
            begin = 1_763_880_000_000
            for number, batch in enumerate(batches[:10]):
                put(stage, batch, begin + 1000 * number)
            with projecting(stage, MessageFeedView):
                stage.wait_until_caught_up(["message-feed"])
            server.command("FLUSHALL")
            for number, batch in enumerate(batches):
                put(stage, batch, begin + (1000 * number if number < 5 else 4500 + 400 * number))
            with projecting(stage, MessageFeedView):
                tally = stage.settle(positions=False, projections=["message-feed"])

    assert tally.problems == []


def test_an_entry_that_is_no_batch_is_parked_once_though_all_is_read_again(
    tmp_path: Path,
) -> None:
    """The feed ends before the checkpoint, which therefore goes back to the feed's beginning."""
    begin = 1_763_880_000_000
    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, partitions=1)
        with Stage(tmp_path / "stage", settings) as stage:
            chain = stage.jobs["job"] = Chain("job", "producer")
            batches = [chain.add(calls.expected("0.0", n, 10)) for n in range(4)]

            def project(some: Sequence[Batch]) -> None:
                put_entry(stage, "job", begin, ["no", "batch"])
                for number, batch in enumerate(some, start=1):
                    put(stage, batch, begin + number)
                with projecting(stage, MessageFeedView) as store:
                    end = stage.log.feed_last(0)
                    wait_until(lambda: end in positions(store))

            project(batches)
            server.command("FLUSHALL")
            project(batches[:2])

            parked = stage.store.parked.list("message-feed")
            assert [event.position.ms for event in parked] == [begin]


def chunks(stage: Stage) -> int:
    database = open_databases(stage.settings).of("metric-history")
    with database.read("counting chunks") as connection:
        found = connection.execute(select(func.count()).select_from(chunk)).scalar_one()
    database.close()
    return int(found)


def test_a_job_that_never_pauses_is_compacted_all_the_same(tmp_path: Path) -> None:
    seen = [0]
    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, partitions=2)
        with Stage(tmp_path / "stage", settings) as stage:

            def goes_down() -> bool:
                stage.report("job", 10)
                seen.append(chunks(stage))
                return seen[-1] < seen[-2]

            with projecting(stage, MetricHistoryView):
                wait_until(goes_down)
                stage.wait_until_caught_up(["metric-history"])

            assert max(seen) > 8
            assert stage.compare(projections=["metric-history"]).problems == []


def test_who_is_asked_to_stop_finishes_one_partition_and_shows_how_far_it_came(
    tmp_path: Path,
) -> None:
    stop = threading.Event()

    class StoppingStore(Store):
        def commit(self, *arguments: Any, **options: Any) -> None:
            super().commit(*arguments, **options)
            stop.set()

    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, partitions=4)
        with Stage(tmp_path / "stage", settings) as stage:
            for number in range(20):
                stage.report(f"job-{number}", 5)
            store = StoppingStore(open_databases(settings))
            open_log = partial(FeedLog.open, settings)
            Projector(view_of(MessageFeedView), store, open_log, settings, owner="me").run(stop)
            store.close()

            reached = [
                at for at in stage.store.leases.checkpoints("message-feed") if any(at.position)
            ]
            assert [at.position for at in reached] == [stage.log.feed_last(reached[0].partition)]
            assert [at.owner for at in reached] == [None]
            shown = groups(stage.log, reached[0].partition)
            assert shown == {"message-feed": "{}-{}".format(*reached[0].position)}


def test_the_archive_reads_on_while_it_commits(tmp_path: Path) -> None:
    stop, has_read_on = threading.Event(), threading.Event()
    read: list[int] = []

    class ReadingLog(FeedLog):
        def read_pointed(self, *arguments: Any, **options: Any) -> Any:
            found = super().read_pointed(*arguments, **options)
            read.append(len(found))
            if len(read) > 1:
                has_read_on.set()
            return found

    class SlowStore(Store):
        def commit(self, *arguments: Any, **options: Any) -> None:
            assert has_read_on.wait(PATIENCE_SECONDS)
            super().commit(*arguments, **options)
            stop.set()

    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, partitions=4)
        with Stage(tmp_path / "stage", settings) as stage:
            for number in range(20):
                stage.report(f"job-{number}", 5)
            store = SlowStore(open_databases(settings))
            open_log = partial(ReadingLog.open, settings)
            Projector(view_of(ArchiveFold), store, open_log, settings, owner="me").run(stop)
            store.close()

            assert [
                at.commits for at in stage.store.leases.checkpoints("archive") if at.commits
            ] == [1]


def test_what_was_read_before_a_lease_was_lost_is_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.projector.portions._POINTERS_A_READ", 1)
    monkeypatch.setattr("consumers.projector.portions.MOST_BYTES", 1)
    stop = threading.Event()
    tried: Counter[int] = Counter()

    class StolenFrom(Store):
        def commit(self, lease: Lease, *arguments: Any, **options: Any) -> None:
            tried[lease.partition] += 1
            if len(tried) == 1:
                self.leases.release(lease)
                assert self.leases.acquire(lease.projection, lease.partition, "another", 600)
            elif tried[lease.partition] == 2:
                stop.set()
            super().commit(lease, *arguments, **options)

    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, partitions=2)
        with Stage(tmp_path / "stage", settings) as stage:
            for _ in range(3):
                for number in range(8):
                    stage.report(f"job-{number}", 5)
            store = StolenFrom(open_databases(settings))
            open_log = partial(FeedLog.open, settings)
            Projector(view_of(ArchiveFold), store, open_log, settings, owner="me").run(stop)
            store.close()

            assert sorted(tried.values()) == [1, 2]
            stolen = next(p for p, times in tried.items() if times == 1)
            at = {at.partition: at for at in stage.store.leases.checkpoints("archive")}
            assert (at[stolen].owner, at[stolen].commits) == ("another", 0)


def test_leases_are_renewed_and_shared_within_a_long_turn(tmp_path: Path) -> None:
    """What comes last in it would be taken for abandoned otherwise."""
    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path, lease_seconds=0.03)
        with Stage(tmp_path / "stage", settings) as stage:
            for number in range(32):
                stage.report(f"job-{number}", 200)
            with projecting(stage, MessageFeedView) as store:
                stage.wait_until_caught_up(["message-feed"])

            assert max(store.leases.joined_at.values()) > 2
            assert stage.compare(projections=["message-feed"]).problems == []
