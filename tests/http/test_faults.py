"""What nobody foresaw, and outages: how they are answered, and how often they are told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi.responses import StreamingResponse

from consumers import outages
from consumers.api.app import create_app
from consumers.api.live import hub
from consumers.errors import StoreUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.jobs import STARTED
from tests.support.projecting import project
from tests.support.servers import TestServer, wait_until
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AWAY = "the store /views is away"


@pytest.fixture
def broken(filled: Settings) -> Iterator[httpx.Client]:
    """Ask an application whose routes fail: before they answer, and when they have begun."""
    app = create_app(filled)

    def fail() -> StreamingResponse:
        raise ZeroDivisionError(AWAY)

    def parts(error: Exception) -> Iterator[bytes]:
        yield b"the first part"
        raise error

    def fail_late() -> StreamingResponse:
        return StreamingResponse(parts(ZeroDivisionError("late")))

    def miss_late() -> StreamingResponse:
        return StreamingResponse(parts(StoreUnavailable(AWAY, "detail", "/views")))

    for route in (fail, fail_late, miss_late):
        app.add_api_route(f"/{route.__name__}/{{job}}", route)
    with asked(app) as client:
        yield client


def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_fault_is_answered_by_a_problem_and_told_with_its_route(
    broken: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [broken.get(f"/fail/{job}") for job in "ab"]

    assert [answer.json()["status"] for answer in answers] == [500, 500]
    assert "ZeroDivisionError" not in answers[0].text
    assert [record.getMessage() for record in records(caplog)] == ["GET /fail/{job} failed"] * 2
    assert all(record.exc_info for record in records(caplog))
    assert 'route="/fail/{job}",status="500"' in broken.get("/metrics").text


def test_an_answer_that_fails_on_its_way_is_torn_and_not_taken_for_whole(
    broken: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/fail_late/a", "/miss_late/a", "/miss_late/b"):
        with broken.stream("GET", path) as answer, pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    assert broken.get("/healthz").status_code == 200

    said = [(record.getMessage(), bool(record.exc_info)) for record in records(caplog)]
    assert said == [("GET /fail_late/{job} failed", True), (f"{AWAY} (detail)", False)]


def test_an_outage_is_told_once_whoever_meets_it_and_once_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outages, "_QUIET_SECONDS", 0.3)
    monkeypatch.setattr(hub, "_LOOK_SECONDS", 0.05)
    with TestServer(tmp_path / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path / "data", connect_seconds=0.5)
        log = open_log(settings)
        log.append(Chain("job").add(STARTED))
        log.close()
        project(settings)
        with (
            asked(create_app(settings)) as client,
            client.stream("GET", "/api/jobs/job/live") as live,
        ):
            assert live.status_code == 200
            for _ in range(2):
                server.kill()
                paths = ["/api/jobs/job/events"] * 10 + ["/readyz"] * 2
                assert {client.get(path).status_code for path in paths} == {503}
                assert 'synapse_stream_up{part="server"} 0.0' in client.get("/metrics").text
                assert len(records(caplog)) == 1, caplog.text
                server.start()
                wait_until(lambda: len(records(caplog)) == 2)
                assert client.get("/api/jobs/job/events").status_code == 200
                begin, end = (record.getMessage() for record in records(caplog))
                assert begin.startswith(f"the server {server.url}")
                assert end.startswith("this is over, it was met")
                assert "Traceback" not in caplog.text
                caplog.clear()
    assert records(caplog) == []
