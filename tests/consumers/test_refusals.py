"""What a store refuses for its content, and what is damaged in it, costs nobody else anything."""

from __future__ import annotations

import threading
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from consumers.errors import CannotStore
from consumers.projector.loop import Projector
from consumers.store.jobs import JobWrite
from consumers.store.store import Store
from consumers.views import names as projections
from consumers.views.opening import open_databases
from consumers.views.run_state.fold import RunStateView
from synapse_stream.log.feeds import FeedLog
from tests.consumers.test_bad_neighbours import jobs_of
from tests.support.projecting import view_of
from tests.support.scenes.stage import GOES_ON
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.scenes.stage import Stage
    from tests.support.servers import TestServer


LONG = "".join(sha256(bytes([n])).hexdigest() for n in range(250))


class Fastidious(Store):
    """Refuses the third event of a job, and what has folded it."""

    bad_job = ""
    commits = 0
    has_parked = False
    refuses_numbers = False

    def commit(self, *arguments: Any, **options: Any) -> None:
        self.commits += 1
        _, _, writes, parked, *_ = arguments
        is_parked = self.has_parked or any(event.job_id == self.bad_job for event in parked)
        for write in writes:
            if write.job_id == self.bad_job:
                ledger = orjson.loads(write.document)["ledger"]["producers"]
                last = max(mark["last"] for mark in ledger.values())
                if (last >= 2 and not is_parked) or (last == 2 and self.refuses_numbers):
                    msg = "refuses"
                    raise CannotStore(msg, "what it holds")
        super().commit(*arguments, **options)
        self.has_parked = is_parked


@pytest.mark.parametrize("refuses_numbers", [False, True])
def test_a_commit_that_is_refused_is_split_down_to_the_entry_and_only_that_is_parked(
    open_stage: Callable[..., Stage], *, refuses_numbers: bool
) -> None:
    stage = open_stage(30, partitions=1)
    jobs = jobs_of(stage, 0, 12)
    for _ in range(4):
        for job in jobs:
            stage.append(job, [{"type": "metrics", "v": 1, "time": 1, "values": {"loss": 1}}])
    store = Fastidious(open_databases(stage.settings))
    store.bad_job, store.refuses_numbers = jobs[5], refuses_numbers
    stop = threading.Event()
    open_log = partial(FeedLog.open, stage.settings)
    projector = Projector(view_of(RunStateView), store, open_log, stage.settings, owner="me")
    thread = threading.Thread(target=projector.run, args=(stop,))
    thread.start()
    try:
        stage.wait_until_caught_up(["run-state"])
    finally:
        stop.set()
        thread.join()
        store.close()

    others = [job for job in jobs if job != jobs[5]]
    tally = stage.compare(others, ["run-state"])
    assert tally.is_clean, tally
    (parked,) = stage.store.parked.list("run-state")
    assert (parked.job_id, parked.reason) == (jobs[5], "refuses what it holds: what it holds")
    assert parked.number == (None if refuses_numbers else 2)
    assert b'"last":3' in stage.store.jobs.load("run-state", [jobs[5]])[jobs[5]]
    assert store.commits < 30


@pytest.mark.parametrize("value", [2**63, "a\0b", LONG, "\ud800"])
def test_what_a_database_cannot_take_is_told_from_a_database_that_is_away(
    open_stage: Callable[..., Stage], value: Any
) -> None:
    stage = open_stage(30, partitions=1)
    lease = stage.store.leases.acquire("message-feed", 0, "me", 30)
    assert lease is not None
    position = (value, 0) if isinstance(value, int) else (1, 0)
    job = "job" if isinstance(value, int) else value
    is_sqlite = stage.settings.store_url is None

    def commit() -> None:
        stage.store.commit(lease, position, [JobWrite(job, b"{}", None, (1, 0))], [], 30)

    if is_sqlite and job in {"a\0b", LONG}:
        commit()
        return
    with pytest.raises(CannotStore):
        commit()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"v":2}', b"\xff" * 50, b"null"])
@pytest.mark.parametrize("projection", projections())
def test_a_job_whose_document_is_damaged_comes_back_and_the_others_go_on(
    open_stage: Callable[..., Stage], projection: str, damage: bytes
) -> None:
    stage = open_stage(1.5, partitions=2)
    jobs = jobs_of(stage, 1, 3)
    first = stage.consume()
    for job in jobs:
        stage.report(job, 20)
    stage.wait_until_caught_up(by=first)
    first.stop()
    _damage(stage, projection, jobs[0], damage)

    second = stage.consume()
    for job in jobs:
        stage.report(job, 10)
    stage.wait_until_caught_up(by=second)

    wait_until(lambda: _can_be_read(stage, jobs))
    tally = stage.settle(jobs)
    assert tally.is_clean, tally
    assert second.said("damaged") <= 1
    second.stop()


def _can_be_read(stage: Stage, jobs: list[str]) -> bool:
    """Tell whether the damaged document is made anew: that may come after the catching up."""
    try:
        stage.compare(jobs)
    except (AssertionError, ValueError, TypeError, LookupError, AttributeError):
        return False
    return True


def _damage(stage: Stage, projection: str, job: str, document: bytes) -> None:
    databases = open_databases(stage.settings)
    with databases.of(projection).write("damaging") as connection:
        mark = "?" if stage.settings.store_url is None else "%s"
        sql = f"UPDATE job SET document = {mark} WHERE projection = {mark} AND job_id = {mark}"
        connection.exec_driver_sql(sql, (document, projection, job))
    databases.close()


@pytest.mark.parametrize("change", ["type", "partitions", "format"])
def test_a_config_that_was_written_over_is_said_waited_for_and_recovered_from(
    open_stage: Callable[..., Stage], server: TestServer, change: str
) -> None:
    stage = open_stage(1.5, partitions=2)
    stage.log.check()
    stage.report("job-1", 5)
    with server.client() as client:
        key = stage.log.keys.config
        kept = client.dump(key)
        if change == "type":
            client.set(key, "text")
        else:
            client.hset(key, change, 77)
        consumer = stage.consume()
        consumer.wait_until_said("waits", 4)

        client.restore(key, 0, kept, replace=True)
    stage.wait_until_caught_up(by=consumer)

    def said() -> list[str]:
        """Return what the projections said; trimming looks seldom, and says it then."""
        return [line for line in consumer.log.splitlines() if '"trimming ' not in line]

    wait_until(lambda: sum(GOES_ON in line for line in said()) == 4)
    assert len(said()) == 8
    assert stage.settle().is_clean
    consumer.stop()
