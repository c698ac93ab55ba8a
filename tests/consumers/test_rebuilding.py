"""A job is folded anew beside its live view, and takes its place at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pytest
from sqlalchemy import func, select, update

from consumers import views
from consumers.store.rebuilds import old
from consumers.store.schema import chunk, job, lane, message, parked, run, series
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.opening import open_views
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.position import BEGINNING
from tests.support import dumps
from tests.support.projecting import Consumers, OlderMessageFeed
from tests.support.scenes import calls
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumers.store.rebuilds import Rebuild
    from synapse_stream.ports.job_view import JobView
    from tests.support.scenes.stage import Stage
    from tests.support.servers import TestServer

VIEWS: list[type[JobView]] = [RunStateView, MetricHistoryView, MessageFeedView]
NAMES = [view.name for view in VIEWS]


class NewerRunState(RunStateView):
    version: ClassVar[int] = RunStateView.version + 1


class NewerMessageFeed(MessageFeedView):
    version: ClassVar[int] = MessageFeedView.version + 1


@pytest.fixture
def stage(open_stage: Callable[..., Stage]) -> Stage:
    return open_stage(0.3, partitions=2)  # to renew many leases takes longer than they last


def ask(stage: Stage, name: str, *jobs: str, is_rollback: bool = False) -> None:
    pairs = [(one, stage.log.keys.partition(one)) for one in jobs]
    assert stage.store.rebuilds.ask_jobs(name, pairs, is_rollback=is_rollback) == len(jobs)


def outcomes(stage: Stage, name: str) -> Sequence[Rebuild]:
    return stage.store.rebuilds.asked(name)


def wait_until_done(stage: Stage, *names: str) -> None:
    for name in names:
        wait_until(partial(is_done, stage, name), 30)


def is_done(stage: Stage, name: str) -> bool:
    return stage.store.rebuilds.count_due(name) == 0


def were_asked(stage: Stage, name: str, jobs: int, times: int) -> bool:
    return [one.times for one in outcomes(stage, name)] == [times] * jobs


def dump(stage: Stage, name: str, job_id: str) -> bytes:
    return dumps.of_view(stage.store, views.find(name), job_id)


def spoil(stage: Stage, job_id: str) -> None:
    """Change a point, a message and the state of a job, as a fault of the projection would."""
    databases = stage.store.databases
    with databases.of("message-feed").write("test") as connection:
        number = select(lane.c.no).join(job, job.c.no == lane.c.job_no)
        mine = number.where(job.c.job_id == job_id, job.c.projection == "message-feed")
        connection.execute(
            update(message).where(message.c.lane_no.in_(mine)).values(content="spoiled")
        )
    with databases.of("metric-history").write("test") as connection:
        number = select(series.c.no).join(job, job.c.no == series.c.job_no)
        of_job = number.where(job.c.job_id == job_id, job.c.projection == "metric-history")
        chunks = connection.execute(select(chunk).where(chunk.c.series_no.in_(of_job))).all()
        assert chunks
        first = select(func.min(chunk.c.number)).where(chunk.c.series_no == chunks[0].series_no)
        connection.execute(
            chunk.delete().where(
                chunk.c.series_no == chunks[0].series_no, chunk.c.number == first.scalar_subquery()
            )
        )
    with databases.of("run-state").write("test") as connection:
        here = (job.c.job_id == job_id) & (job.c.projection == "run-state")
        document = bytes(connection.execute(select(job.c.document).where(here)).scalar_one())
        spoiled = document.replace(b'"action":"train"', b'"action":"other"')
        assert spoiled != document
        connection.execute(update(job).where(here).values(document=spoiled))
        connection.execute(update(run).where(run.c.job_id == job_id).values(action="other"))


def test_a_spoiled_view_is_rebuilt_and_the_first_difference_is_told(stage: Stage) -> None:
    with Consumers(stage.settings) as consumers:
        for one in ("job-1", "job-2"):
            stage.report(one, 600)
        consumers.catch_up()
        before = {name: dump(stage, name, "job-1") for name in NAMES}
    spoil(stage, "job-1")
    assert all(dump(stage, name, "job-1") != before[name] for name in NAMES)

    with Consumers(stage.settings) as consumers:
        for name in NAMES:
            ask(stage, name, "job-1", "job-2")
        wait_until_done(stage, *NAMES)

        assert {name: dump(stage, name, "job-1") for name in NAMES} == before
        for name in NAMES:
            spoiled, sound = outcomes(stage, name)
            assert spoiled.outcome == sound.outcome == "rebuilt"
            assert spoiled.difference is not None
            assert sound.difference is None
        views = open_views(stage.settings)
        assert [state.latest.action for state in views.jobs()] == ["train", "train"]
        assert {state.job_id for state in views.jobs(action="train")} == {"job-1", "job-2"}
        views.close()


def test_a_rebuilt_job_goes_on_with_what_comes(stage: Stage) -> None:
    with Consumers(stage.settings) as consumers:
        stage.report("job-1", 300)
        consumers.catch_up()
        for name in NAMES:
            ask(stage, name, "job-1")
        wait_until_done(stage, *NAMES)
        stage.report("job-1", 300)
        consumers.catch_up()

    assert stage.compare().is_clean


def test_a_roll_back_brings_back_what_was_with_what_came_since(stage: Stage) -> None:
    with Consumers(stage.settings) as consumers:
        stage.report("job-1", 300)
        consumers.catch_up()
    spoil(stage, "job-1")
    with Consumers(stage.settings) as consumers:
        ask(stage, "message-feed", "job-1")
        wait_until_done(stage, "message-feed")
        stage.report("job-1", 300)
        consumers.catch_up()
        rebuilt = dump(stage, "message-feed", "job-1")
        ask(stage, "message-feed", "job-1", is_rollback=True)
        wait_until_done(stage, "message-feed")

        assert outcomes(stage, "message-feed")[0].outcome == "rolled back"
        rolled_back = dump(stage, "message-feed", "job-1")
        assert rolled_back.count(b"\n") == rebuilt.count(b"\n")
        assert b"spoiled" in rolled_back
        assert rolled_back.splitlines()[-1] == rebuilt.splitlines()[-1]

        ask(stage, "message-feed", "job-1", is_rollback=True)
        wait_until_done(stage, "message-feed")
        assert dump(stage, "message-feed", "job-1") == rebuilt


def test_what_was_never_rebuilt_cannot_be_rolled_back(stage: Stage) -> None:
    with Consumers(stage.settings) as consumers:
        stage.report("job-1", 30)
        consumers.catch_up()
        before = dump(stage, "run-state", "job-1")
        ask(stage, "run-state", "job-1", is_rollback=True)
        wait_until_done(stage, "run-state")

    assert outcomes(stage, "run-state")[0].outcome == (
        "not done: nothing is kept of job 'job-1' from before"
    )
    assert dump(stage, "run-state", "job-1") == before


def test_a_view_that_has_more_than_is_recorded_stays(stage: Stage, server: TestServer) -> None:
    with Consumers(stage.settings) as consumers:
        stage.report("job-1", 60)
        consumers.catch_up()
    before = dump(stage, "run-state", "job-1")
    with stage.store.databases.of("archive").write("test") as connection:
        connection.execute(job.delete().where(job.c.projection == "archive"))
    entries = stage.log.read_after("job-1", BEGINNING, limit=1000)
    last = f"{entries[-1].ms}-{entries[-1].seq}"
    server.command("XDEL", stage.log.keys.job("job-1"), last)
    with Consumers(stage.settings, VIEWS):
        ask(stage, "run-state", "job-1")
        wait_until_done(stage, "run-state")

    assert "is not recorded; it would be lost" in str(outcomes(stage, "run-state")[0].outcome)
    assert dump(stage, "run-state", "job-1") == before


def test_jobs_of_another_version_are_rebuilt_by_themselves_the_idle_ones_too(
    stage: Stage,
) -> None:
    with Consumers(stage.settings) as consumers:
        for one in ("idle", "busy"):
            stage.report(one, 200)
        consumers.catch_up()
    newer: list[type[JobView]] = [NewerRunState, NewerMessageFeed]
    with Consumers(stage.settings, newer) as consumers:
        stage.report("busy", 200)
        consumers.catch_up()
        for name in ("run-state", "message-feed"):
            wait_until(partial(were_asked, stage, name, jobs=2, times=1))
        wait_until_done(stage, "run-state", "message-feed")
        consumers.catch_up()
        stage.report("busy", 50)
        consumers.catch_up()

    for view in newer:
        name = view.name
        documents = stage.store.jobs.load(name, ["idle", "busy"]).values()
        assert [orjson.loads(document)["v"] for document in documents] == [view.version] * 2
        assert {one.outcome for one in outcomes(stage, name)} == {
            "rebuilt, there was none of this version before"
        }
    with Consumers(stage.settings) as consumers:  # and back, as after a downgrade
        for name in ("run-state", "message-feed"):
            wait_until(partial(were_asked, stage, name, jobs=2, times=2))
        wait_until_done(stage, "run-state", "message-feed")
        consumers.catch_up()
    assert stage.compare().is_clean


def test_parked_events_are_folded_after_an_upgrade_and_parked_no_more(stage: Stage) -> None:
    new_message = {"type": "message", "content": "new", "level": "info", "is_new": True}
    with Consumers(stage.settings, [OlderMessageFeed]) as consumers:
        stage.report("job-1", 30)
        stage.append("job-1", [new_message, calls.expected("0.0", 99, 10)])
        consumers.catch_up()
        assert stage.store.parked.count("message-feed") == 1
        ask(stage, "message-feed", "job-1")
        wait_until_done(stage, "message-feed")
        assert stage.store.parked.count("message-feed") == 1
    with Consumers(stage.settings) as consumers:
        ask(stage, "message-feed", "job-1")
        wait_until_done(stage, "message-feed")
        consumers.catch_up()

    assert stage.store.parked.count("message-feed") == 0
    assert stage.compare().is_clean


def test_of_many_rebuilds_only_one_generation_is_left_over(stage: Stage) -> None:
    def rows() -> dict[str, Any]:
        counts = {}
        for table in (series, chunk, lane, message, parked):
            with stage.store.databases.of(
                "metric-history" if table in {series, chunk} else "message-feed"
            ).read("test") as connection:
                counts[table.name] = connection.execute(select(func.count(table.c[0]))).scalar()
        return counts

    with Consumers(stage.settings) as consumers:
        stage.report("job-1", 300)
        consumers.catch_up()
        once = rows()
        for _ in range(3):
            ask(stage, "metric-history", "job-1")
            ask(stage, "message-feed", "job-1")
            wait_until_done(stage, "metric-history", "message-feed")

    assert rows()["message"] == 2 * once["message"]
    assert rows()["series"] == 2 * once["series"]
    for name in ("metric-history", "message-feed"):
        with stage.store.databases.of(name).read("test") as connection:
            kept = select(job.c.projection).where(job.c.projection.startswith(name))
            assert sorted(connection.execute(kept).scalars()) == [name, old(name)]
