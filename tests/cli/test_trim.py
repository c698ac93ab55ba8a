"""`synapse-stream trim`: what may go, what went, who holds it back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from consumers.views import names as projections
from consumers.views.opening import open_store
from tests.support.chains import Chain
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Settings:
    """Keep nothing hot."""
    monkeypatch.setenv("SYNAPSE_STREAM_HOT_SECONDS", "0")
    monkeypatch.setenv("SYNAPSE_STREAM_REWIND_SECONDS", "0.001")
    return settings


def report(log: EventLog, count: int) -> None:
    chain = Chain("job-1")
    for _ in range(count):
        log.append(chain.add({}, {}))
    time.sleep(0.003)


def test_trim_removes_what_all_have_and_says_so(
    command: Callable[..., Said], log: EventLog, short: Settings
) -> None:
    log.check()
    report(log, 3)
    project(short)

    would, does, again = command("trim", "--dry-run"), command("trim"), command("trim")

    assert "3 entries with 6 events would be removed" in would.out
    assert "3 entries with 6 events removed" in does.out
    assert "0 entries with 0 events removed" in again.out
    assert log.stream_info(log.keys.job("job-1")) is None


def test_trim_names_who_holds_it_back(
    command: Callable[..., Said], log: EventLog, short: Settings
) -> None:
    log.check()
    report(log, 3)

    said = command("trim", "--json")

    [mine] = [p for p in said.objects if p["held_back_seconds"]]
    assert mine["partition"] == log.keys.partition("job-1")
    assert set(mine["held_back_seconds"]) == set(projections())
    assert sum(p["entries"] for p in said.objects) == 0


def test_a_projection_that_is_gone_is_retired(
    command: Callable[..., Said], log: EventLog, short: Settings
) -> None:
    log.check()
    report(log, 3)
    project(short)
    report(log, 0)
    store = open_store(short)
    partition = log.keys.partition("job-1")
    lease = store.leases.acquire("message-feed", partition, "someone", 60)
    assert lease is not None
    store.commit(lease, (1, 0), [], [], 60)

    refused = command("trim", "--retire", "message-feed")
    assert (refused.code, "someone: stop it first" in refused.err) == (1, True)
    store.leases.release(lease)
    assert command("trim", "--retire", "message-feed", "--dry-run").code == 0
    assert "0 entries" in command("trim").out
    assert "3 entries with 6 events removed" in command("trim", "--retire", "message-feed").out
    store.close()


@pytest.mark.parametrize("name", ["archive", "nobody"])
def test_only_views_can_be_retired(command: Callable[..., Said], name: str) -> None:
    said = command("trim", "--retire", name)

    assert said.code == 2
    assert "run-state, metric-history, message-feed" in said.err
