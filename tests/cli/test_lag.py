from __future__ import annotations

import time
from typing import TYPE_CHECKING

from consumers.views import names as projections
from tests.support.chains import Chain
from tests.support.projecting import Consumers, project
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said
    from tests.support.servers import TestServer


def rows(said: Said) -> list[list[str]]:
    return [line.split() for line in said.lines]


def test_what_no_consumer_has_seen_is_behind_with_its_events_and_age(
    command: Callable[..., Said], log: EventLog
) -> None:
    partition = log.keys.partition("job-1")
    log.append(Chain("job-1").add({}, {}, {}))
    log.append(Chain("job-1", "p1").add({}, {}))

    found = command("lag", "--json").objects

    assert [(lag["projection"], lag["partition"]) for lag in found] == [
        (projection, number) for projection in projections() for number in range(16)
    ]
    behind = [lag for lag in found if lag["events"]]
    assert [lag["partition"] for lag in behind] == [partition] * len(projections())
    assert all(lag["events"] == 5 and lag["is_exact"] for lag in behind)
    assert all(lag["owner"] is None for lag in found)


def test_seconds_are_the_age_of_the_oldest_event_by_the_servers_clock(
    command: Callable[..., Said], log: EventLog, server: TestServer
) -> None:
    partition = log.keys.partition("job-1")
    ms = round(time.time() * 1000) - 90_000
    feed = log.keys.feed(partition)
    server.command("XADD", feed, f"{ms}-0", "j", "job-1", "n", 3)
    server.command("XADD", feed, f"{ms + 80_000}-0", "j", "job-1", "n", 4)

    (found, *_) = [lag for lag in command("lag", "--json").objects if lag["events"]]

    assert found["events"] == 7
    assert 89 <= found["seconds"] < 150


def test_the_table_has_a_line_where_something_waits_and_totals(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    chain = Chain("job-1")
    log.append(chain.add({}, {}))
    project(settings)
    log.append(chain.add({}, {}, {}))
    partition = str(log.keys.partition("job-1"))

    said = command("lag")

    assert said.code == 0
    shown = rows(said)
    assert shown[0] == ["PROJECTION", "PARTITION", "EVENTS", "BEHIND", "CONSUMER"]
    waiting = [row for row in shown if row[1] == partition]
    assert [row[:3] for row in waiting] == [[name, partition, "3"] for name in projections()]
    assert [row[:3] for row in shown[-1 - len(projections()) : -1]] == [
        [name, "total", "3"] for name in projections()
    ]
    assert shown[-1][:3] == ["all", "total", str(3 * len(projections()))]
    assert len(shown) <= 1 + len(projections()) * 3 + len(projections()) + 1


def test_when_consumers_have_caught_up_nothing_waits_and_they_are_named(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    log.append(Chain("job-1").add({}, {}))
    with Consumers(settings, lease_seconds=60) as consumers:
        consumers.catch_up()

        shown = rows(command("lag"))

    assert shown[1] == ["run-state", "0-15", "0", "-", "test-run-state"]
    assert shown[-1] == ["all", "total", "0", "-", str(len(projections())), "consumers"]


def test_where_very_much_waits_it_is_not_all_counted(
    command: Callable[..., Said], log: EventLog, server: TestServer
) -> None:
    partition = log.keys.partition("job-1")
    feed = log.keys.feed(partition)
    with server.client() as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(10_001):
            pipeline.execute_command("XADD", feed, f"1000-{number}", "j", "job-1", "n", 7)
        pipeline.execute()

    said = command("lag")

    assert ["run-state", str(partition), "≥", "70000"] in [row[:4] for row in rows(said)]
    assert rows(said)[-1][:4] == ["all", "total", "≥", str(70_000 * len(projections()))]
    lags = command("lag", "--json").objects
    assert not any(one["is_exact"] for one in lags if one["partition"] == partition)


def test_without_a_server_one_line_says_so(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", f"redis://127.0.0.1:{free_port()}")

    said = command("lag")

    assert (said.code, said.out) == (1, "")
    assert said.err.count("\n") == 1
