"""Signed tokens: how they are made, and how they end."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.remote.connection import RENEWED, Refused
from synapse_stream.remote.log import RemoteLog
from synapse_stream.remote.tokens import Claims, Role, issue, read, sign
from tests.support import doors
from tests.support.chains import Chain
from tests.support.doors import OPERATOR, SECRET, token
from tests.support.jobs import STARTED
from tests.support.projecting import project
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.doors import Door
    from tests.support.servers import TestServer

BATCH = Chain("job", "p1").add(STARTED)
APPEND: dict[str, Any] = {
    "params": {
        "producer": "p1",
        "first": 0,
        "last": 0,
        "hash": BATCH.hash.hex(),
        "salts": BATCH.salts.hex(),
    },
    "content": BATCH.data,
}


@pytest.fixture(scope="module")
def door(own_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("signed")
    with doors.opened(own_server, home, namespace="signed") as opened:
        with closing(open_log(opened.settings)) as log:
            log.append(BATCH)
        project(opened.settings)
        yield opened


@pytest.fixture(scope="module")
def asked(door: Door) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=door.url, timeout=30) as client:
        yield client


def bearer(given: str | None) -> dict[str, str]:
    return {} if given is None else {"Authorization": f"Bearer {given}"}


def test_who_comes_with_a_token_that_is_over_hears_why_and_is_not_slowed_down(
    asked: httpx.Client,
) -> None:
    begin = time.monotonic()
    headers = bearer(doors.expired("job"))
    answers = [asked.get("/api/deployment", headers=headers) for _ in range(200)]

    assert {answer.status_code for answer in answers} == {401}
    assert "plugin (old) expired at 20" in answers[0].json()["detail"]
    assert time.monotonic() - begin < 100  # as wrong ones they would take 200 s


def test_an_operator_makes_and_revokes_tokens(asked: httpx.Client, door: Door) -> None:
    wanted = {"name": "team", "jobs": "team-*", "append": True, "seconds": 60}
    made = asked.post("/api/tokens", json=wanted, headers=bearer(OPERATOR)).json()
    with closing(RemoteLog(door.plugin(door.settings.data_dir, made["token"]))) as log:
        log.append(Chain("team-1").add())
        with pytest.raises(Refused, match="is for 'team-"):
            log.append(Chain("other").add())
        asked.delete(f"/api/tokens/{made['id']}", headers=bearer(OPERATOR))
        with pytest.raises(Refused, match=r"was revoked"):
            log.append(Chain("team-2").add())

    assert made["expires"] <= time.time() + 60


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"name": "x"},
        {"name": "a b", "append": True},
        {"name": "x", "append": True, "seconds": 10**9},
        {"name": "x", "role": "king"},
        {"name": "x", "append": True, "job": "y"},
    ],
)
def test_a_token_that_is_none_is_not_made(asked: httpx.Client, wanted: dict[str, Any]) -> None:
    answer = asked.post("/api/tokens", json=wanted, headers=bearer(OPERATOR))

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_api_process_hears_of_a_revoked_token_within_a_second(
    own_server: TestServer, tmp_path: Path
) -> None:
    given, live = token("job"), token("job", role=Role.VIEWER)
    claims = read(given, SECRET)
    watching = read(live, SECRET)
    assert claims is not None
    assert watching is not None
    with (
        doors.opened(own_server, tmp_path / "a", namespace="revoked") as one,
        doors.opened(own_server, tmp_path / "b", namespace="revoked") as two,
        closing(RemoteLog(two.plugin(tmp_path, given))) as log,
        httpx.Client(timeout=30) as client,
    ):
        log.append(BATCH)
        project(one.settings)
        followed = f"{two.url}/api/jobs/job/live"
        with client.stream("GET", followed, headers=bearer(live)) as stream:
            for revoked in (claims.id, watching.id):
                client.delete(f"{one.url}/api/tokens/{revoked}", headers=bearer(OPERATOR))
            begin = time.monotonic()
            wait_until(lambda: is_refused(log, "was revoked"))
            took = time.monotonic() - begin
            stream.read()  # it ends: the next comment is due within 15 s
        own_server.command("HSET", "revoked:revoked", "too old", "1")
        client.delete(f"{one.url}/api/tokens/another", headers=bearer(OPERATOR))
        left = own_server.command("HKEYS", "revoked:revoked")

    assert took < 5, "within a second, when nobody else is at work"
    assert sorted(left) == sorted([claims.id.encode(), watching.id.encode(), b"another"])


def is_refused(log: RemoteLog, reason: str) -> bool:
    try:
        log.append(BATCH)
    except LogUnavailable as error:
        return reason in str(error)
    return False


def test_a_token_of_a_run_is_none_any_more_a_minute_after_its_end(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = 0.0
    monkeypatch.setattr(
        "consumers.api.sources.ServerClock.now_ms", lambda _: int((time.time() + ahead) * 1000)
    )
    chain = Chain("over", "p1")
    ended = {"type": "end", "status": "completed", "count": 2, "rank": 0}
    given = {"before": token("over"), "pattern": token("ov*"), "other": token("job")}

    def log_of(name: str) -> RemoteLog:
        settings = door.plugin(door.settings.data_dir, given[name])
        return stack.enter_context(closing(RemoteLog(settings)))

    with ExitStack() as stack:
        logs = {name: log_of(name) for name in given}
        logs["before"].append(chain.add(STARTED, ended))
        given["after"] = token("over")  # for the next attempt
        logs["after"] = log_of("after")
        project(door.settings)
        ahead = 55
        assert [name for name, log in logs.items() if is_over(log)] == []
        ahead = 61
        wait_until(lambda: is_over(logs["before"]))  # it is looked up once a second

        assert [name for name, log in logs.items() if is_over(log)] == ["before"]


def is_over(log: RemoteLog) -> bool:
    try:
        log.check()
    except Refused as error:
        return "was for job over, which has ended" in str(error)
    return False


def test_a_token_that_is_used_is_handed_out_anew_when_half_of_its_life_is_over(
    asked: httpx.Client,
) -> None:
    now = int(time.time())
    young = issue("young", 100, jobs="job", append=True)
    times: dict[str, Any] = {"issued": now - 60, "expires": now + 40, "life": 100}
    old = issue("old", 100, jobs="job", append=True, **times)
    fixed = old.model_copy(update={"life": None})

    def handed_out_to(claims: Claims) -> str:
        headers = bearer(sign(claims, SECRET))
        answer = asked.post("/api/jobs/job/append", headers=headers, **APPEND)
        return str(answer.headers.get(RENEWED, ""))

    handed_out = list(map(handed_out_to, (young, fixed, old)))

    assert handed_out[:2] == ["", ""]
    renewed = read(handed_out[2], SECRET)
    assert renewed is not None
    assert renewed == old.model_copy(update={"expires": renewed.expires})
    assert 95 < renewed.expires - now < 160


def test_a_browser_signs_in_with_a_signed_token(asked: httpx.Client) -> None:
    given = token("job", role=Role.DEVELOPER, append=True)
    answer = asked.post("/api/session", json={"token": given})
    cookie = answer.cookies["synapse_stream_session"]
    signed_in = {"Cookie": f"synapse_stream_session={cookie}"}
    asked.cookies.clear()

    assert answer.json()["role"] == "developer"
    assert given not in answer.headers["set-cookie"]
    assert asked.get("/api/jobs/job", headers=signed_in).status_code == 200
    assert asked.post("/api/jobs/job/append", headers=signed_in, **APPEND).status_code == 403
    asked.delete("/api/session", headers=signed_in)
    asked.cookies.clear()
    assert asked.get("/api/jobs/job", headers=signed_in).status_code == 401
    assert asked.get("/api/jobs/job", headers=bearer(given)).status_code == 200
