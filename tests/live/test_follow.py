"""What a client of one job gets, and in which order."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
import pytest

from consumers import outages
from consumers.errors import StoreUnavailable
from synapse_stream import JobStream
from synapse_stream.entries.position import BEGINNING
from synapse_stream.ports.views import SILENT_AFTER_MS
from tests.live.conftest import Deployment, message, metrics, progress
from tests.support import events
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.scenes.reader import Told
from tests.support.servers import wait_until


def stream_of(deployment: Deployment, job: str, after: str = "0-0.0") -> list[Told]:
    """Return what a job's stream holds behind a position, as a client should get it."""
    told = [
        Told(f"{entry.ms}-{entry.seq}.{index}", entry.batch.producer, line)
        for entry in deployment.log.read_after(job, BEGINNING, limit=10_000)
        if entry.batch is not None
        for index, line in enumerate(entry.batch.lines())
    ]
    places = [one.position for one in told]
    return told[places.index(after) + 1 if after in places else 0 :]


def has_all(deployment: Deployment, job: str) -> Any:
    wanted = stream_of(deployment, job)[-1].position
    return lambda reader: reader.events and reader.events[-1].position == wanted


def test_a_snapshot_comes_first_and_then_every_event_behind_it(
    deployment: Deployment, job: str
) -> None:
    deployment.report(job, message(0), progress(1))
    reader = deployment.follow(job).until_kinds("snapshot")
    for number in range(50):
        deployment.report(job, metrics(number), message(number))
    reader.until(has_all(deployment, job))

    (snapshot,) = reader.of("snapshot")
    assert reader.kinds[0] == "snapshot"
    assert snapshot["attempts"][0]["counts"] == {"run_started": 1, "message": 1, "progress": 1}
    assert snapshot["position"] == stream_of(deployment, job)[2].position == reader.sent[0].id
    assert reader.events == stream_of(deployment, job, after=snapshot["position"])


@pytest.mark.parametrize("after", [None, "0-0.0"], ids=["live", "caught up"])
def test_each_event_says_its_attempt_and_rank(
    deployment: Deployment, job: str, after: str | None
) -> None:
    """Also of a child process, a second attempt, and one that goes on under another name."""
    first, other, child, again, heir = (Chain(job, name) for name in "abcde")
    begun = [
        first.add(events.started(0)),
        other.add(events.started(3)),
        child.add(events.joined("b"), message(1)),
        again.add(events.started(0)),
        heir.add(events.resumed("b", 0, 3), message(2)),
    ]
    later = [chain.add(metrics(3)) for chain in (first, other, child, again, heir)]
    for batch in begun:
        deployment.log.append(batch)
    reader = deployment.follow(job, after=after)
    if after is None:
        reader.until_kinds("snapshot")
    for batch in later:
        deployment.log.append(batch)
    reader.until(lambda one: sum(b'"metrics"' in told.line for told in one.events) == len(later))

    homes = {one["producer"]: (one["attempt"], one["rank"]) for one in reader.of("event")}
    assert homes == {"a": (1, 0), "b": (1, 3), "c": (1, 0), "d": (2, 0), "e": (1, 3)}


def test_the_answer_may_be_neither_stored_nor_held_back(deployment: Deployment, job: str) -> None:
    deployment.report(job)
    head = deployment.follow(job).until_kinds("snapshot").head.lower()

    assert "content-type: text/event-stream" in head
    assert "cache-control: no-store" in head
    assert "x-accel-buffering: no" in head


def test_state_follows_events_with_what_was_sent(deployment: Deployment, job: str) -> None:
    deployment.report(job)
    reader = deployment.follow(job).until_kinds("snapshot")
    deployment.report(job, progress(250_000), message(1))
    reader.until_kinds("event", "event", "state")

    state = reader.of("state")[-1]
    assert state["attempts"][0]["overall_percent"] == 25
    assert state["position"] == reader.events[-1].position
    assert reader.sent[-1].id is None


def test_states_are_few_however_many_events(deployment: Deployment, job: str) -> None:
    deployment.report(job)
    reader = deployment.follow(job).until_kinds("snapshot")
    begun = time.monotonic()
    for number in range(200):
        deployment.report(job, progress(number))
    reader.until(has_all(deployment, job))

    assert len(reader.of("event")) == 200
    assert len(reader.of("state")) <= 4 * (time.monotonic() - begun) + 2


@pytest.mark.parametrize("how", ["after", "header"])
def test_a_client_goes_on_behind_a_position_without_a_snapshot(
    deployment: Deployment, job: str, how: str
) -> None:
    for number in range(30):
        deployment.report(job, metrics(number), message(number), progress(number))
    told = stream_of(deployment, job)
    for place in (0, 1, 44, len(told) - 2, len(told) - 1):
        at = told[place].position
        options = {"after": at} if how == "after" else {"headers": {"Last-Event-ID": at}}
        reader = deployment.follow(job, **options).until_kinds("state")

        assert reader.events == told[place + 1 :]
        assert set(reader.kinds) <= {"event", "state"}
        assert reader.kinds[-1] == "state"


def test_last_event_id_wins_over_after(deployment: Deployment, job: str) -> None:
    deployment.report(job, message(0), message(1))
    told = stream_of(deployment, job)
    header = {"Last-Event-ID": told[1].position}

    reader = deployment.follow(job, after=told[0].position, headers=header).until_kinds("state")

    assert reader.events == told[2:]


def test_all_there_is_can_be_had_from_the_beginning(deployment: Deployment, job: str) -> None:
    for number in range(100):
        deployment.report(job, metrics(number))

    reader = deployment.follow(job, after="0-0").until_kinds("state")

    assert reader.events == stream_of(deployment, job)


def test_a_client_that_reconnects_while_events_come_misses_and_repeats_none(
    deployment: Deployment, job: str
) -> None:
    deployment.report(job)
    reader = deployment.follow(job).until_kinds("snapshot")
    for number in range(40):
        deployment.report(job, message(number), metrics(number))
        if number % 3 == 0:
            reader.until_kinds(*["event"] * number)
            reader.leave()
            reader.connect()
    reader.until(has_all(deployment, job))

    assert reader.connects == 15
    assert reader.events == stream_of(deployment, job)[1:]


def test_events_of_a_projected_job_are_counted_once(deployment: Deployment, job: str) -> None:
    deployment.report(job, message(0), message(1))
    project(deployment.settings)
    deployment.report(job, message(2))
    reader = deployment.follow(job).until_kinds("snapshot")
    deployment.report(job, message(3))
    reader.until_kinds("event", "state")

    assert reader.of("snapshot")[0]["attempts"][0]["counts"]["message"] == 3
    assert reader.of("state")[-1]["attempts"][0]["counts"]["message"] == 4
    assert reader.events == stream_of(deployment, job)[-1:]


def test_an_unknown_job_is_a_problem(deployment: Deployment, job: str) -> None:
    reader = deployment.follow("nobody's").until(lambda reader: reader.status)

    assert reader.status == 404
    assert deployment.hub.clients == 0


@pytest.mark.parametrize(
    "options", [{"after": "yesterday"}, {"headers": {"Last-Event-ID": "yesterday"}}]
)
def test_a_malformed_position_is_a_problem(
    deployment: Deployment, job: str, options: dict[str, Any]
) -> None:
    deployment.report(job)

    assert deployment.follow(job, **options).until(lambda reader: reader.status).status == 422


@pytest.mark.parametrize("after", ["1-0", "9999999999999-0.0", "0-1"])
def test_a_position_that_is_not_there_is_reset(
    deployment: Deployment, job: str, after: str
) -> None:
    deployment.report(job, message(0))
    reader = deployment.follow(job, after=after).until_kinds("reset", "snapshot")
    deployment.report(job, message(1))
    reader.until_kinds("event")

    assert reader.kinds[:2] == ["reset", "snapshot"]
    assert after in reader.of("reset")[0]["reason"]
    assert reader.events == stream_of(deployment, job)[-1:]


@pytest.mark.parametrize("after", ["0-0", "the third"])
def test_a_trimmed_stream_resets_who_wants_what_is_gone(
    deployment: Deployment, job: str, after: str
) -> None:
    for number in range(5):
        deployment.report(job, message(number))
    told = stream_of(deployment, job)
    deployment.server.command("XTRIM", deployment.log.keys.job(job), "MAXLEN", 2)
    after = told[3].position if after == "the third" else after

    gone = deployment.follow(job, after=after).until_kinds("reset", "snapshot")
    there = deployment.follow(job, after=told[-2].position).until_kinds("state")

    assert gone.events == []
    assert there.events == told[-1:]


def test_what_cannot_be_decoded_stands_in_its_place(deployment: Deployment, job: str) -> None:
    deployment.report(job)
    live = deployment.follow(job).until_kinds("snapshot")
    lines = b'{"seq":1,"type":"message"\n[1]\n{"type":7}\n{"type":"x",\r"y":1}\n\xff\n'
    deployment.log.append(deployment.chains[job].add_data(lines, 5))
    deployment.server.command(
        "XADD", deployment.log.keys.job(job), "*", "p", "nobody", "d", b"\xff"
    )
    deployment.report(job, message(1))
    late = deployment.follow(job, after="0-0").until_kinds(*["event"] * 8)
    live.until_kinds(*["event"] * 7)

    kinds = [orjson.loads(told.line)["type"] for told in live.events]
    assert kinds == [*["undecodable"] * 3, "x", *["undecodable"] * 2, "message"]
    assert [told.position for told in live.events] == [
        str(recorded.position) for recorded in JobStream(job, deployment.settings).read()
    ][1:]
    assert late.events[1:] == live.events


def test_a_loss_stands_for_a_range(deployment: Deployment, job: str) -> None:
    deployment.report(job)
    reader = deployment.follow(job).until_kinds("snapshot")
    loss = {"type": "loss", "counts": {"metrics": 5}, "first": 1, "last": 5, "reason": "gone"}
    line = orjson.dumps({"seq": 1, "time": 1, "v": 1, **loss})
    deployment.log.append(deployment.chains[job].add_data(line + b"\n", 5))
    deployment.report(job, message(1))
    reader.until_kinds("event", "event", "state")

    assert reader.events == stream_of(deployment, job)[1:]
    assert reader.of("state")[-1]["attempts"][0]["completeness"]["status"] == "incomplete"


def test_health_changes_without_events(
    deployment: Deployment, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.report(job)
    reader = deployment.follow(job).until_kinds("snapshot")
    later = deployment.log.now_ms() + SILENT_AFTER_MS
    monkeypatch.setattr(deployment.hub._sources.clock, "now_ms", lambda: later)
    reader.until_kinds("state")

    assert reader.of("snapshot")[0]["health"] == "alive"
    assert reader.of("state")[0]["health"] == "silent"


def test_comments_keep_a_quiet_stream_open(deployment: Deployment, job: str) -> None:
    deployment.report(job)
    readers = [deployment.follow(job).until_kinds("snapshot"), deployment.follow(None)]
    wait_until(lambda: deployment.hub.clients == 2)
    loop = deployment.hub._loop
    assert loop is not None
    asyncio.run_coroutine_threadsafe(deployment.hub._beat(), loop).result()

    for reader in readers:
        reader.until(lambda reader: reader.comments)
        assert set(reader.kinds) <= {"snapshot"}


def test_those_that_leave_are_forgotten_at_once(deployment: Deployment, job: str) -> None:
    deployment.report(job)
    readers = [deployment.follow(job) for _ in range(200)]
    for reader in readers:
        reader.until_kinds("snapshot")
    assert deployment.hub.clients == 200

    for reader in readers:
        reader.leave()

    wait_until(lambda: deployment.hub.clients == 0, 5)


def test_many_clients_of_one_job_get_the_same(deployment: Deployment, job: str) -> None:
    deployment.report(job)
    readers = [deployment.follow(job) for _ in range(100)]
    for reader in readers:
        reader.until_kinds("snapshot")
    for number in range(30):
        deployment.report(job, metrics(number), message(number))

    wanted = stream_of(deployment, job)[1:]
    for reader in readers:
        assert reader.until(has_all(deployment, job)).events == wanted


def test_a_job_that_cannot_be_read_on_is_forgotten_and_begun_anew_by_who_comes_next(
    deployment: Deployment, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_reader: object) -> None:
        msg = "unforeseen"
        raise ZeroDivisionError(msg)

    deployment.report(job, message(0))
    reader = deployment.follow(job).until_kinds("snapshot")
    monkeypatch.setattr(deployment.hub._channels[job].tracker, "read", fail)
    deployment.report(job, message(1))

    assert reader.until_the_end().is_over
    assert job not in deployment.hub._channels
    wait_until(lambda: job not in deployment.hub._reader._watched)
    (snapshot,) = deployment.follow(job).until_kinds("snapshot").of("snapshot")
    assert snapshot["attempts"][0]["counts"]["message"] == 2


def test_a_store_that_is_away_is_said_once_and_once_more_when_it_is_there(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    async def is_away(_in_thread: object) -> None:
        asked.append(1)
        msg = "the store is away"
        raise StoreUnavailable(msg)

    def said() -> list[str]:
        return [one.getMessage() for one in caplog.records if "is away" in one.getMessage()]

    monkeypatch.setattr(deployment.hub.jobs, "refresh", is_away)
    wait_until(lambda: len(asked) >= 3)
    monkeypatch.delattr(deployment.hub.jobs, "refresh")
    monkeypatch.setattr(outages, "_QUIET_SECONDS", 0.1)
    wait_until(lambda: len(said()) == 2)

    begin, end = said()
    assert begin == "the store is away"
    assert end.startswith("this is over, it was met")
