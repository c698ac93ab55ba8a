from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.opening import open_store
from consumers.views.run_state.fold import RunStateView
from synapse_stream.log.trimming import TrimLog
from tests.support.chains import Chain
from tests.support.events import message
from tests.support.projecting import Consumers, project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

HELLO = message("hello")


@pytest.fixture
def three_jobs(log: EventLog, settings: Settings) -> None:
    for number in range(3):
        log.append(Chain(f"job-{number}").add(HELLO, HELLO))
    project(settings)


@pytest.mark.usefixtures("three_jobs")
def test_all_jobs_are_rebuilt_and_rolled_back(
    command: Callable[..., Said], settings: Settings
) -> None:
    with Consumers(settings):
        assert command("rebuild", "message-feed") == (
            0,
            "3 asked for, 0 were different, 0 not done\n",
            "",
        )
        said = command("rebuild", "message-feed", "--rollback", "--json")

    assert said.code == 0
    assert {one["outcome"] for one in said.objects} == {"rolled back"}
    assert [one["job_id"] for one in said.objects] == ["job-0", "job-1", "job-2"]


@pytest.mark.usefixtures("three_jobs")
def test_without_a_consumer_it_is_said_that_it_will_be_done_later(
    command: Callable[..., Said], settings: Settings
) -> None:
    said = command("rebuild", "run-state", "--job", "job-1")

    assert said.code == 1
    assert "1 to be rebuilt, but no consumer of run-state runs" in said.err
    with Consumers(settings, [RunStateView]):
        assert command("rebuild", "run-state", "--job", "job-1").code == 0


@pytest.mark.usefixtures("three_jobs")
def test_what_cannot_be_rebuilt_is_named(command: Callable[..., Said], settings: Settings) -> None:
    assert command("rebuild", "archive").code == 2
    with Consumers(settings):
        said = command("rebuild", "run-state", "--job", "job-1", "--rollback")

    assert said.code == 1
    assert "nothing is kept of job 'job-1' from before" in said.out


@pytest.mark.usefixtures("three_jobs")
def test_a_projection_whose_database_is_gone_comes_back_from_the_archive(
    command: Callable[..., Said], settings: Settings
) -> None:
    before = command("messages", "job-1").out
    log = TrimLog.open(settings)
    for feed in range(settings.partitions):
        if (last := log.feed_last(feed)) > (0, 0):
            log.trim(feed, (last[0], last[1] + 1))
    log.retire("message-feed", 1)
    log.close()
    for path in (settings.data_dir / "views").glob("message-feed.db*"):
        path.unlink()
    with Consumers(settings, [MessageFeedView]):
        said = command("rebuild", "message-feed")
        assert said.out == "3 asked for, 0 were different, 0 not done\n"

    assert command("messages", "job-1").out == before
    store = open_store(settings)
    assert set(store.jobs.load("message-feed", ["job-0", "job-1", "job-2"])) == {
        "job-0",
        "job-1",
        "job-2",
    }
    store.close()
