from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from consumers.api.app import create_app
from consumers.api.connections import LARGEST_HEAD
from consumers.api.guard import LARGEST_BODY, LARGEST_HEADERS, LONGEST_URL
from tests.support.servers import free_port
from tests.support.serving import asked

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from synapse_stream.settings import Settings


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem; fail if it is none, or another."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert {"type", "title", "detail", "instance"} <= found.keys()
    return found


@pytest.mark.parametrize("path", ["/nothing", "/api", "/api/", "/api/jobs/", "/api/jobs/a/b"])
def test_a_path_that_is_none(api: httpx.Client, path: str) -> None:
    assert "/docs" in problem(api.get(path), 404)["detail"]


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/trained/live", "/", "/healthz"])
def test_a_method_that_is_not_possible(api: httpx.Client, path: str) -> None:
    answer = api.put(path)

    assert problem(answer, 405)["allowed"] == {"methods": ["GET"]}
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "path", ["/", "/api/jobs", "/api/jobs/trained", "/healthz", "/api/nothing"]
)
def test_head_says_what_get_would_without_the_body(api: httpx.Client, path: str) -> None:
    got, told = api.get(path), api.head(path)

    assert (told.status_code, told.content) == (got.status_code, b"")
    for name in ("content-type", "etag"):
        assert told.headers.get(name) == got.headers.get(name)


def test_no_stream_is_begun_for_head(api: httpx.Client) -> None:
    assert api.head("/api/jobs/trained/live").status_code == 405


def test_a_page_that_begins_behind_an_unknown_job(api: httpx.Client) -> None:
    answer = api.get("/api/jobs", params={"after": "never was"})

    assert problem(answer, 422)["allowed"] == {"after": "a job's id"}


def test_several_parameters_that_are_not_allowed_are_all_named(api: httpx.Client) -> None:
    found = problem(api.get("/api/jobs", params={"status": "great", "limit": "0"}), 422)

    assert found["allowed"].keys() == {"status", "limit"}
    assert "'running'" in found["allowed"]["status"]


@pytest.mark.parametrize(
    "at", ["", "soon", "2026-01-01", "2026-01-01T00:00:00", "-5", "1-", "9" * 30, "5-5.x", "\uff11"]
)
def test_a_moment_that_is_none(api: httpx.Client, at: str) -> None:
    answer = api.get("/api/jobs/trained", params={"at": at})

    assert "a time such as" in problem(answer, 422)["detail"]


def test_an_address_headers_or_a_body_that_are_too_large(api: httpx.Client) -> None:
    long = api.get("/api/jobs", params={"q": "x" * LONGEST_URL})
    wide = api.get("/api/jobs", headers={"X-Wide": "x" * LARGEST_HEADERS})
    big = api.post("/api/session", content=b"x" * (LARGEST_BODY + 1))
    unsaid = api.post("/api/session", content=iter([b"x" * LARGEST_BODY, b"x"]))

    assert problem(long, 414)["allowed"] == {"bytes": LONGEST_URL}
    assert problem(wide, 431)["allowed"] == {"bytes": LARGEST_HEADERS}
    assert problem(big, 413)["allowed"] == {"bytes": LARGEST_BODY}
    assert problem(unsaid, 413)["allowed"] == {"bytes": LARGEST_BODY}


def test_headers_without_end_close_the_connection(api: httpx.Client) -> None:
    sent = 0
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), 10) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        try:
            while sent < 20 * LARGEST_HEAD:
                raw.sendall(b"X-More: " + b"x" * 1_000 + b"\r\n")
                sent += 1_010
            received = raw.recv(1_000)
        except ConnectionError:
            received = b""

    assert received == b"" or received.startswith(b"HTTP/1.1 400 ")
    assert api.get("/healthz").status_code == 200


def test_what_is_no_http_is_refused_and_harms_nobody(api: httpx.Client) -> None:
    for sent in (b"\x16\x03\x01\x02\x00", b"GET /\xff HTTP/1.1\r\n\r\n", b"GET / HTTP/9\r\n\r\n"):
        with socket.create_connection((api.base_url.host, api.base_url.port or 80), 10) as raw:
            raw.sendall(sent)
            assert raw.recv(1_000)[:13] in {b"HTTP/1.1 400 ", b""}
    assert api.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/jobs", "/api/jobs/a", "/api/jobs/a/messages", "/api/jobs/a/metrics"]
)
def test_a_store_that_is_away_is_named_and_may_be_tried_again(tmp_path: Path, path: str) -> None:
    from synapse_stream.settings import Settings

    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/none"
    settings = Settings(data_dir=tmp_path, store_url=url)
    with asked(create_app(settings)) as client:
        answer = client.get(path)

        found = problem(answer, 503)
        assert "cannot be reached" in found["detail"]
        assert "secret" not in answer.text
        assert int(answer.headers["retry-after"]) > 0


def test_views_are_shown_while_the_server_is_away_and_events_are_not(filled: Settings) -> None:
    settings = filled.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}"})
    with asked(create_app(settings)) as client:
        job = client.get("/api/jobs/trained")

        assert job.json()["health"] == "ended"
        assert client.get("/api/jobs").status_code == 200
        assert client.get("/api/jobs/trained/messages").status_code == 200
        for path in ("/api/jobs/trained/events", "/api/jobs/trained?at=1-1"):
            answer = client.get(path)
            assert "server" in problem(answer, 503)["detail"]
            assert "retry-after" in answer.headers
