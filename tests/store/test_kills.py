"""A writer may be killed at any moment, and readers may read at any moment."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from consumers.store.schema import checkpoint
from synapse_stream.entries.position import BEGINNING
from tests.store.jobs import MESSAGES, METRICS, RUN_STATE, Committer, message, metrics, started
from tests.store.writer import JOB, KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.store.store import Store
    from consumers.views.reader import StoredViews
    from synapse_stream.settings import Settings

KILLS = 6
COMMITS = 50


def wait_for_the_last_commit(store: Store) -> None:
    """Return when PostgreSQL, too, is done with what the killed process had sent."""
    with store.databases.of("metric-history").write("test") as connection:
        connection.execute(select(checkpoint).with_for_update())


@pytest.mark.timeout(300)  # six processes, one after the other
def test_a_writer_that_is_killed_loses_no_point_and_doubles_none(
    settings: Settings, store: Store, views: StoredViews
) -> None:
    rng = random.Random(1)
    steps = {"committed": 0, "compacted": 0}
    sizes = [0]
    for kill in range(KILLS):
        arguments = (str(settings.data_dir), settings.store_url or "", str(kill))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.writer", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(rng.randrange(20, 60)):
            steps[process.stdout.readline().strip()] += 1
        process.kill()
        process.communicate()
        wait_for_the_last_commit(store)

        document = store.jobs.load("metric-history", [JOB])[JOB]
        found = views.points(JOB, KEY)

        assert list(found.values) == list(range(int(document)))
        assert views.series(JOB)[0].count == int(document)
        sizes.append(len(found))
    assert sizes == sorted(set(sizes)), "every writer goes on where the one before was killed"
    assert min(steps.values()) > KILLS


def test_readers_meet_no_lock_while_a_writer_works_and_what_they_see_only_grows(
    new_store: Callable[[], Store], views: StoredViews
) -> None:
    stop = threading.Event()
    failures: list[Exception] = []
    reads = {"messages": 0, "points": 0, "jobs": 0}

    def read(kind: str, ask: Callable[[], int]) -> None:
        seen = 0
        while not stop.is_set():
            try:
                count = ask()
                assert count >= seen
            except Exception as failure:  # noqa: BLE001 - asserted by the main thread
                failures.append(failure)
                return
            seen = count
            reads[kind] += 1

    questions = {
        "messages": lambda: len(views.messages("job", after=BEGINNING, limit=10**6).messages),
        "points": lambda: len(views.points("job", KEY)),
        "jobs": lambda: len(views.jobs(limit=10**6)),
    }
    readers = [threading.Thread(target=read, args=item) for item in questions.items()]
    committers = [Committer(new_store(), view) for view in (RUN_STATE, METRICS, MESSAGES)]
    for reader in readers:
        reader.start()
    commits = 0
    while commits < COMMITS or (min(reads.values()) <= 5 and not failures):
        for committer in committers:
            events = [message("text"), metrics(loss=commits)] * 10
            committer.commit({"job": events, f"job {commits}": [started()]})
        committers[1].store.compact(committers[1].lease, rested_seconds=0.0)
        commits += 1
    stop.set()
    for reader in readers:
        reader.join()

    assert failures == []
    assert questions["messages"]() == questions["points"]() == commits * 10
    assert questions["jobs"]() == commits + 1
