"""The server freezes: clients know since when, no run is blamed, and all comes afterwards."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx

from synapse_stream.log import server_clock
from tests.support.events import message
from tests.support.servers import wait_until

if TYPE_CHECKING:
    import pytest

    from tests.live.conftest import Deployment


def test_a_frozen_server_is_told_and_no_run_is_blamed(
    deployment: Deployment, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = 0.0
    monkeypatch.setattr(
        server_clock,
        "time",
        SimpleNamespace(time=lambda: time.time() + passed, monotonic=time.monotonic),
    )
    deployment.report(job, message("one"))
    readers = [deployment.follow(job).until_kinds("snapshot"), deployment.follow(None)]
    clock = deployment.hub._sources.clock
    wait_until(lambda: deployment.hub.clients == 2 and not clock.away)
    deployment.server.freeze()
    try:
        for reader in readers:
            reader.until_kinds("server")
        passed = 140.0
        answer = _asked(deployment, job)
    finally:
        deployment.server.thaw()
    later = deployment.follow(job).until_kinds("server")
    deployment.report(job, message("two"))
    for reader in readers:
        reader.until(lambda reader: reader.of("server")[-1]["away"]["until_ms"] is not None)
    readers[0].until_kinds("event")

    began = readers[0].of("server")[0]["away"]
    assert began["until_ms"] is None
    if answer is not None:  # its view is there
        assert (answer["health"], answer["away"]) == ("alive", began)
    ended = readers[1].of("server")[-1]["away"]
    assert ended["since_ms"] == began["since_ms"]
    assert ended["until_ms"] - ended["since_ms"] >= 140_000
    for reader in (readers[0], later):
        states = reader.of("snapshot") + reader.of("state")
        assert {state["health"] for state in states} == {"alive"}
    monkeypatch.undo()
    clock._away = None  # the two minutes are over, for other tests
    wait_until(lambda: deployment.hub._told is None)


def _asked(deployment: Deployment, job: str) -> Any:
    answer = httpx.get(f"http://127.0.0.1:{deployment.port}/api/jobs/{job}", timeout=60)
    return answer.json() if answer.is_success else None
