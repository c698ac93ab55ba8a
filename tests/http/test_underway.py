"""Whatever is under way ends when its token is revoked, has expired, or its session is over."""

from __future__ import annotations

import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest
from pydantic import SecretStr

from consumers.api.app import create_app
from synapse_stream.log.event_log import open_log
from synapse_stream.remote.tokens import Role, read
from synapse_stream.settings import Settings
from tests.support import events
from tests.support.chains import Chain
from tests.support.doors import OPERATOR, SECRET, Door, token
from tests.support.jobs import STARTED
from tests.support.projecting import project
from tests.support.servers import wait_until
from tests.support.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tests.support.servers import TestServer

MESSAGES = 48  # of half a mebibyte: more than sockets hold for who reads nothing
PLENTY_SECONDS = 25.0


class Way(NamedTuple):
    """Something that takes long, as it is asked for, and how it ends."""

    request: bytes
    begins: bytes
    """What has come when it is under way; nothing if nothing comes before the end."""
    ends: bytes
    """How what came at the end begins or ends; nothing for what is torn."""


HEAD = "{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n{}\r\n"
REFUSED, ENDED, TORN = b"HTTP/1.1 401", b"0\r\n\r\n", b""
BATCH = f"producer=p9&first=0&last=0&salts=00&hash={'0' * 64}"
WAYS = {
    "a job's live stream": Way(
        HEAD.format("GET /api/jobs/job/live", "").encode(), b"event: snapshot", ENDED
    ),
    "the list's": Way(HEAD.format("GET /api/live", "").encode(), b"retry:", ENDED),
    "several as one": Way(
        HEAD.format('GET /api/live?streams=[["job",null],null]', "").encode(), b"retry:", ENDED
    ),
    "a job that is not known, waited for": Way(
        HEAD.format('GET /api/live?streams=[["none",null]]', "").encode(), b"refused", ENDED
    ),
    "a stream's events": Way(
        HEAD.format("GET /v1/stream/job?offset=-1&live=sse", "").encode(), b"event: control", ENDED
    ),
    "a stream's long poll": Way(
        HEAD.format("GET /v1/stream/job?offset=now&live=long-poll", "").encode(), b"", REFUSED
    ),
    "a long poll": Way(
        HEAD.format("GET /api/jobs/job/events/live?after=9999999999999-0.0", "").encode(),
        b"",
        REFUSED,
    ),
    "an upload": Way(
        HEAD.format(f"POST /api/jobs/job/append?{BATCH}", "Content-Length: 1000\r\n").encode()
        + b'{"half":',
        b"",
        REFUSED,
    ),
    "what the SDK sends": Way(
        HEAD.format("POST /ingest/synapse/logs/", "Content-Length: 1000\r\n").encode() + b"[", b"",
        REFUSED,
    ),
    "what goes on to a backend": Way(
        HEAD.format("GET /ingest/synapse/v2/slow", "").encode(), b"", REFUSED
    ),
    "a download": Way(
        HEAD.format("GET /api/jobs/large/events", "Accept: application/x-ndjson\r\n").encode(),
        b"large message", TORN,
    ),
}  # fmt: skip


@contextmanager
def silent() -> Iterator[str]:
    """Run a backend that takes requests and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def app(own_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    home = tmp_path_factory.mktemp("underway")
    with silent() as backend:
        settings = Settings(
            redis_url=own_server.url,
            data_dir=home,
            spool_memory_bytes=0,
            namespace="underway",
            token_secret=SecretStr(SECRET),
            synapse_backend=backend,
        )
        with closing(open_log(settings)) as log:
            log.append(Chain("job", "p1").add(STARTED))
            large = Chain("large", "p1")
            log.append(large.add(STARTED))
            for _ in range(MESSAGES):
                log.append(large.add(events.message("large message " + "x" * 499_000)))
        project(settings)
        yield create_app(settings)


@pytest.fixture(scope="module")
def door(app: FastAPI) -> Iterator[Door]:
    with served(app) as port:
        yield Door(app.state.sources.settings, port)


@contextmanager
def begun(door: Door, way: Way, given: str) -> Iterator[socket.socket]:
    """Ask, and yield when it is under way."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=PLENTY_SECONDS) as asked:
        asked.sendall(way.request.replace(b"TOKEN", given.encode()))
        came = b""
        while way.begins not in came:
            came += asked.recv(4096)
            assert not came.startswith(REFUSED)
        yield asked


def rest_of(asked: socket.socket) -> bytes:
    """Return what still comes, up to the end of the answer or of the connection."""
    came = b""
    while not came.endswith(ENDED):
        try:
            some = asked.recv(1 << 20)
        except ConnectionResetError:
            break
        if not some:
            break
        came = (came + some)[-4096:]
    return came


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_what_is_under_way_ends_when_its_token_is_revoked(
    app: FastAPI, door: Door, way: Way
) -> None:
    given = token(None, role=Role.DEVELOPER, append=True)
    claims = read(given, SECRET)
    assert claims is not None

    with begun(door, way, given) as asked:
        headers = {"Authorization": f"Bearer {OPERATOR}"}
        httpx.delete(f"{door.url}/api/tokens/{claims.id}", headers=headers)
        if way.ends == TORN:
            wait_until(lambda: given not in {proof.token for proof in app.state.underway.proofs})
        came = rest_of(asked)

    if way.ends == REFUSED:
        assert came.startswith(REFUSED)
        assert f"{claims.id}) was revoked".encode() in came
    else:
        assert came.endswith(ENDED) == (way.ends == ENDED)


@pytest.mark.parametrize("name", ["a job's live stream", "a long poll"])
def test_it_ends_when_its_token_expires(door: Door, name: str) -> None:
    given = token(None, role=Role.VIEWER, seconds=2)

    with begun(door, WAYS[name], given) as asked:
        came = rest_of(asked)

    assert came.endswith(ENDED) or b"expired at" in came


def test_it_ends_when_its_session_is_signed_out(door: Door) -> None:
    with httpx.Client(base_url=door.url, timeout=PLENTY_SECONDS) as browser:
        browser.post("/api/session", json={"token": token(None, role=Role.VIEWER)})
        with browser.stream("GET", "/api/live") as stream:
            parts = stream.iter_bytes()
            next(parts)
            browser.delete("/api/session")
            assert b"event: job" not in b"".join(parts)


def test_a_download_of_a_token_that_stays_comes_whole(door: Door) -> None:
    given = token(None, role=Role.DEVELOPER)
    headers = {"Authorization": f"Bearer {given}", "Accept": "application/x-ndjson"}

    answer = httpx.get(f"{door.url}/api/jobs/large/events", headers=headers, timeout=60)

    assert answer.text.count("large message") == MESSAGES
