from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from consumers.api.app import create_app
from consumers.store.anchor_heads import AnchorHeads
from consumers.views import names as projections
from consumers.views.opening import open_databases
from synapse_stream.log.event_log import open_log
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.projecting import Consumers, project
from tests.support.servers import TestServer, free_port, wait_until
from tests.support.serving import DEADLINE_SECONDS, asked

if TYPE_CHECKING:
    from pathlib import Path


def numbers(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """Return every number by its name and labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_lag_commits_and_what_is_parked_are_those_of_the_deployment(
    server: TestServer, settings: Settings
) -> None:
    log = open_log(settings)
    log.append(Chain("known").add({"type": "run_started", "rank": 0}, {"type": "message"}))
    project(settings)
    log.append(Chain("new").add({}, {}, {}))
    log.close()
    with closing(open_databases(settings)) as databases:
        AnchorHeads(databases).remember({"refused": "its tail is gone"})
    with asked(create_app(settings)) as client:
        found = numbers(client)

    for projection in projections():
        assert found["synapse_stream_lag_events", projection] == 3
        assert 0 <= found["synapse_stream_lag_seconds", projection] < DEADLINE_SECONDS
        assert found["synapse_stream_commits_total", projection] == 1
        assert found["synapse_stream_unowned_partitions", projection] == settings.partitions
    assert found["synapse_stream_parked_events", "message-feed"] == 1
    assert found["synapse_stream_refused_anchors",] == 1
    assert found["synapse_stream_shed_events",] == 0
    assert found["synapse_stream_up", "store"] == found["synapse_stream_up", "server"] == 1
    assert found["process_resident_memory_bytes",] > 0


def test_what_waits_in_spools_of_this_host_is_counted(filled: Settings, tmp_path: Path) -> None:
    home = tmp_path / "spool" / "producer-1"
    home.mkdir(parents=True)
    (home / "producer.json").write_bytes(b"{}")
    (home / "0.seg").write_bytes(b"x" * 1_000)
    settings = filled.model_copy(update={"spool_dir": tmp_path / "spool"})

    with asked(create_app(settings)) as client:
        assert numbers(client)["synapse_stream_spool_bytes",] == 1_002


def test_requests_are_measured_by_route_and_never_by_job(api: httpx.Client) -> None:
    def counts() -> list[float]:
        name, found = "synapse_stream_request_seconds_count", numbers(api)
        return [found.get((name, "GET", *of), 0) for of in measured]

    measured = (("/api/jobs/{job}", "200"), ("/api/jobs/{job}/messages", "404"), ("none", "404"))
    before = counts()
    for path in ("/api/jobs/trained", "/api/jobs/secret-job/messages", "/secret-path"):
        api.get(path)

    assert [b - a for a, b in zip(before, counts(), strict=True)] == [1, 1, 1]
    assert "secret" not in api.get("/metrics").text


def test_followers_are_counted_while_they_follow(api: httpx.Client) -> None:
    def followers() -> float:
        return numbers(api)["synapse_stream_live_clients",]

    wait_until(lambda: followers() == 0)  # those of tests before may just be leaving
    with api.stream("GET", "/api/jobs/trained/live"):
        wait_until(lambda: followers() == 1)
    wait_until(lambda: followers() == 0)


def test_without_store_and_server_it_lives_is_not_ready_and_says_what_is_away(
    tmp_path: Path,
) -> None:
    settings = Settings(
        data_dir=tmp_path,
        redis_url=f"redis://127.0.0.1:{free_port()}",
        store_url=f"postgresql://127.0.0.1:{free_port()}/none",
    )
    with asked(create_app(settings)) as client:
        ready = client.get("/readyz")
        found = numbers(client)

        assert client.get("/healthz").json() == {"status": "ok"}
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert ready.json()["away"].keys() == {"store", "server"}
        assert found["synapse_stream_up", "store"] == found["synapse_stream_up", "server"] == 0
        assert ("synapse_stream_lag_seconds", "run-state") not in found


def test_it_is_ready_only_while_projections_have_consumers(filled: Settings) -> None:
    with asked(create_app(filled)) as client:
        alone = client.get("/readyz")

        with Consumers(filled, lease_seconds=30) as consumers:
            consumers.catch_up()
            wait_until(lambda: client.get("/readyz").status_code == 200)
        wait_until(lambda: client.get("/readyz").status_code == 503)

    assert alone.status_code == 503
    assert alone.json()["away"].keys() == {"consumers"}
    assert "run-state has no consumer for 16 partitions" in alone.json()["away"]["consumers"]


def test_only_the_server_is_said_to_be_away_when_it_is(filled: Settings) -> None:
    settings = filled.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}"})
    with asked(create_app(settings)) as client:
        assert client.get("/readyz").json()["away"].keys() == {"server"}
        found = numbers(client)

    assert (found["synapse_stream_up", "store"], found["synapse_stream_up", "server"]) == (1, 0)


def test_the_process_serves_logs_lines_of_json_and_leaves_at_a_signal(
    filled: Settings, tmp_path: Path
) -> None:
    port = free_port()
    environ = {
        **{name: value for name, value in os.environ.items() if "SYNAPSE" not in name},
        "SYNAPSE_STREAM_REDIS_URL": str(filled.redis_url),
        "SYNAPSE_STREAM_DATA_DIR": str(filled.data_dir),
    }
    command = [sys.executable, "-m", "consumers.api", "--no-token", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or _answers(url))
        assert httpx.get(f"{url}/api/jobs/trained").json()["status"] == "completed"
        with httpx.stream("GET", f"{url}/api/jobs/trained/live") as stream:
            assert next(stream.iter_bytes()).startswith(b"retry:")
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()

    lines: list[dict[str, Any]] = [
        json.loads(line) for line in (tmp_path / "log").read_text().splitlines()
    ]
    assert {"time", "level", "process", "message"} <= set.intersection(*map(set, lines))
    assert {line["level"] for line in lines} <= {"info", "warning"}
    assert not any("GET" in line["message"] for line in lines)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False
