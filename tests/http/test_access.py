from __future__ import annotations

import json
import logging
import subprocess
import sys
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from consumers.api import shapes
from consumers.api.access import COOKIE, Access
from consumers.api.app import create_app
from synapse_stream.errors import ConfigError
from synapse_stream.settings import Settings
from tests.support.jobs import EPOCHS, HOSTILE, SLASHED
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

TOKENS = {
    "viewer": "viewer-token-0123456789",
    "developer": "developer-token-0123456789",
    "operator": "operator-token-0123456789",
    "team": "team-token-0123456789",
}
GIVEN = [
    {"name": "viewer", "role": "viewer", "token": TOKENS["viewer"]},
    {"name": "developer", "role": "developer", "token": TOKENS["developer"]},
    {"name": "operator", "role": "operator", "token": TOKENS["operator"]},
    {"name": "team", "role": "developer", "token": TOKENS["team"], "jobs": "team*"},
]
PRIVATE = [
    "/api/jobs",
    "/api/jobs/trained",
    "/api/jobs/trained/series",
    "/api/jobs/trained/metrics",
    "/api/jobs/trained/messages",
    "/api/jobs/trained/events",
    "/api/jobs/trained/live",
    "/api/live",
    "/api/nothing",
    "/metrics",
]


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


@pytest.fixture(scope="module")
def guarded(filled: Settings) -> Iterator[httpx.Client]:
    """Ask an application that knows four callers."""
    tokens = SecretStr(json.dumps(GIVEN))
    with asked(create_app(filled.model_copy(update={"api_tokens": tokens}))) as client:
        yield client


@pytest.mark.parametrize("path", PRIVATE)
def test_nothing_is_given_without_a_token_or_with_a_wrong_one(
    guarded: httpx.Client, path: str
) -> None:
    wrong: list[dict[str, Any]] = [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong-token-0123456789"},
        {"Authorization": f"Bearer {TOKENS['viewer']}x"},
        {"Authorization": f"Basic {TOKENS['viewer']}"},
        {"Authorization": "Bearer ü".encode()},
        {"Cookie": f"{COOKIE}=viewer.9999999999.{'0' * 64}"},
        {"Cookie": f'{COOKIE}="'},
    ]
    for headers in wrong:
        answer = guarded.get(path, headers=headers)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"


def test_who_is_not_let_in_hears_why_and_where_a_token_is(guarded: httpx.Client) -> None:
    missing = guarded.get("/api/jobs").json()["detail"]
    wrong = guarded.get("/api/jobs", headers={"Authorization": "Bearer wrong"}).json()["detail"]

    assert missing.startswith("a token is needed")
    assert wrong.startswith("this is nobody's token, or it is over")
    assert {each.rpartition("; ")[2] for each in (missing, wrong)} == {"ask your operator for one"}
    assert guarded.get("/api/session").json()["whence"] == "ask your operator for one"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/api/session"])
def test_what_everybody_may_have_needs_no_token(guarded: httpx.Client, path: str) -> None:
    status = guarded.get(path).status_code
    assert status == 200 or (path == "/readyz" and status == 503)  # here nothing projects


def test_viewers_get_nothing_that_is_for_developers(guarded: httpx.Client) -> None:
    messages = "/api/jobs/trained/messages"
    events = "/api/jobs/trained/events"
    lines = {"Accept": "application/x-ndjson"}

    asked_for = guarded.get(messages, params={"dev": True}, headers=bearer("viewer"))
    shown = guarded.get(messages, headers=bearer("viewer")).json()["messages"]
    seen = guarded.get(events, headers={**bearer("viewer"), **lines}).text
    all_events = guarded.get(events, headers={**bearer("developer"), **lines}).text

    assert asked_for.status_code == 403
    assert asked_for.json()["allowed"] == {"dev": False}
    assert {found["kind"] for found in shown} == {"message"}
    assert "dev_event" not in seen
    assert "checkpoint" not in seen
    assert all_events.count('"type":"dev_event"') == EPOCHS
    hidden = guarded.get(events, params={"type": "dev_event"}, headers=bearer("viewer")).json()
    assert (hidden["events"], hidden["next"]) == ([], None)
    broken = f"/api/jobs/{quote(HOSTILE, safe='')}/events"
    assert "undecodable" not in guarded.get(broken, headers=bearer("viewer")).text


def test_viewers_get_all_that_the_page_shows_of_a_state(guarded: httpx.Client) -> None:
    seen, everything = (
        guarded.get("/api/jobs/taken", headers=bearer(role)).json()
        for role in ("viewer", "developer")
    )

    for of_now in ("now_ms", "age_seconds", "health", "alive_beside"):
        assert of_now in seen
        del seen[of_now], everything[of_now]
    assert seen == everything


def test_a_field_of_a_state_that_is_not_listed_is_for_developers(
    guarded: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shapes.job
    monkeypatch.setattr(shapes, "job", lambda *given: {**whole(*given), "internal": "new"})

    shown = {
        role: guarded.get("/api/jobs/taken", headers=bearer(role)).json()
        for role in ("viewer", "developer", "operator")
    }

    assert "internal" not in shown["viewer"]
    assert shown["viewer"]["attempts"] == shown["developer"]["attempts"]
    assert shown["developer"]["internal"] == shown["operator"]["internal"] == "new"


def test_an_etag_is_of_one_answer_whoever_asks_for_whatever(guarded: httpx.Client) -> None:
    asked_for: list[tuple[str, str, dict[str, Any]]] = [
        ("messages", "viewer", {}),
        ("messages", "viewer", {"level": "warning"}),
        ("messages", "viewer", {"limit": 1}),
        ("messages", "developer", {"dev": True}),
        ("series", "viewer", {}),
        ("series", "viewer", {"name": "loss"}),
        ("metrics", "viewer", {"name": "loss"}),
        ("metrics", "viewer", {"name": "loss", "points": 10}),
    ]

    def ask(path: str, role: str, params: dict[str, Any], etag: str = "") -> httpx.Response:
        headers = {**bearer(role), "If-None-Match": etag}
        return guarded.get(f"/api/jobs/trained/{path}", params=params, headers=headers)

    etags = [ask(*one).headers["etag"] for one in asked_for]

    assert len(set(etags)) == len(etags)
    for one in asked_for:
        others = {ask(*one, etag).status_code: etag for etag in etags}
        assert sorted(others) == [200, 304]
        assert others[304] == etags[asked_for.index(one)]


def test_developers_get_dev_events(guarded: httpx.Client) -> None:
    asked_for = {"dev": True, "limit": 1000}
    for name in ("developer", "operator"):
        page = guarded.get("/api/jobs/trained/messages", params=asked_for, headers=bearer(name))
        assert {found["kind"] for found in page.json()["messages"]} == {
            "message",
            "dev_event",
            "log",
        }


def test_a_pattern_hides_other_jobs_everywhere(guarded: httpx.Client) -> None:
    headers = bearer("team")
    listed = guarded.get("/api/jobs", headers=headers).json()
    ids = [job["job_id"] for job in listed["jobs"]]

    assert sorted(ids) == sorted([SLASHED, "team", "team%2Fa"])
    assert guarded.get("/api/jobs/team", headers=headers).status_code == 200
    for path in PRIVATE[1:7]:
        answer = guarded.get(path, headers=headers)
        unknown = guarded.get(path.replace("trained", "unknown"), headers=headers)
        assert answer.status_code == unknown.status_code == 404
        assert answer.text.replace("trained", "unknown") == unknown.text
    behind = guarded.get("/api/jobs", params={"after": "trained"}, headers=headers)
    assert behind.status_code == 422


def test_a_pattern_pages_over_what_it_hides(guarded: httpx.Client) -> None:
    found: list[str] = []
    after = None
    while after is not None or not found:
        asked_for = {"limit": 1, **({"after": after} if after else {})}
        answer = guarded.get("/api/jobs", params=asked_for, headers=bearer("team")).json()
        found += [job["job_id"] for job in answer["jobs"]]
        after = answer["next"]

    assert sorted(found) == sorted([SLASHED, "team", "team%2Fa"])


def test_a_browser_signs_in_and_out(guarded: httpx.Client) -> None:
    before = guarded.get("/api/session").json()
    answer = guarded.post("/api/session", json={"token": TOKENS["developer"]})
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    signed_in = {"Cookie": f"{COOKIE}={cookie.value}"}

    always = {"demands_token": True, "whence": "ask your operator for one"}
    assert before == {"name": None, "role": None, **always}
    assert answer.json() == {"name": "developer", "role": "developer", **always}
    assert cookie["httponly"]
    assert cookie["samesite"] == "strict"
    assert TOKENS["developer"] not in answer.headers["set-cookie"]
    guarded.cookies.clear()
    assert guarded.get("/api/jobs").status_code == 401
    assert guarded.get("/api/jobs", headers=signed_in).status_code == 200
    assert guarded.get("/api/session", headers=signed_in).json()["name"] == "developer"
    left = guarded.delete("/api/session", headers=signed_in)
    assert "max-age=0" in left.headers["set-cookie"].lower()
    assert left.json()["name"] is None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"token": 5}', b'{"token": null}', b"\xff" * 10]
)
def test_what_is_no_sign_in_is_refused(guarded: httpx.Client, body: bytes) -> None:
    answer = guarded.post(
        "/api/session", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert "set-cookie" not in answer.headers


def test_a_wrong_token_opens_no_session(guarded: httpx.Client) -> None:
    answer = guarded.post("/api/session", json={"token": "wrong-token-0123456789"})

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "wrong-token" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_cannot_sign_in_or_out(
    guarded: httpx.Client, headers: dict[str, str]
) -> None:
    signed_in = guarded.post("/api/session", json={"token": TOKENS["viewer"]}, headers=headers)
    signed_out = guarded.delete("/api/session", headers=headers)

    for answer in (signed_in, signed_out):
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_the_page_itself_may_sign_in(guarded: httpx.Client) -> None:
    host = f"{guarded.base_url.host}:{guarded.base_url.port}"
    headers = {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}

    answer = guarded.post("/api/session", json={"token": TOKENS["viewer"]}, headers=headers)
    guarded.cookies.clear()

    assert answer.status_code == 200


def test_a_session_ends_by_time_and_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(token: str) -> Access:
        given = json.dumps([{"name": "a", "role": "viewer", "token": token}])
        return Access.load(Settings(api_tokens=SecretStr(given)))

    known = opened(TOKENS["viewer"])
    session = known.open_session(TOKENS["viewer"])
    assert session is not None
    until = int(session.split(".")[1])

    assert known.by_session(session) is not None
    assert opened(TOKENS["team"]).by_session(session) is None
    later = session.replace(str(until), str(until + 1))
    assert known.by_session(later) is None
    monkeypatch.setattr("consumers.api.access.time.time", lambda: until + 0.5)
    assert known.by_session(session) is None


def test_no_token_is_logged_or_shown(
    guarded: httpx.Client, caplog: pytest.LogCaptureFixture, filled: Settings
) -> None:
    caplog.set_level(logging.DEBUG)
    guarded.get("/api/jobs", headers=bearer("viewer"))
    guarded.get("/api/jobs", headers={"Authorization": f"Bearer {TOKENS['viewer']}x"})
    guarded.post("/api/session", json={"token": TOKENS["developer"]})
    guarded.cookies.clear()

    settings = filled.model_copy(update={"api_tokens": SecretStr(json.dumps(GIVEN))})
    shown = caplog.text + repr(settings) + str(settings.masked())
    assert not any(token in shown for token in TOKENS.values())
    assert settings.masked()["api_tokens"] == "***"


def test_tokens_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps(GIVEN))
    known = Access.load(Settings(api_tokens=SecretStr(f"@{file}")))

    caller = known.by_token(TOKENS["team"])

    assert caller is not None
    assert (caller.name, caller.role, caller.jobs) == ("team", "developer", "team*")


def _without(index: int, **changes: Any) -> str:
    return json.dumps([{**GIVEN[index], **changes}])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "Invalid JSON"),
        ('{"name": "a"}', "array"),
        ("@/nowhere/tokens", "cannot be read"),
        (_without(0, token="short"), "16"),
        (_without(0, role="king"), "viewer"),
        (_without(0, name="a b"), "name"),
        (_without(0, job="x"), "job"),
        (_without(0, jobs=""), "jobs"),
        (json.dumps([GIVEN[0], GIVEN[0]]), "same name"),
        (json.dumps([GIVEN[0], {**GIVEN[1], "token": TOKENS["viewer"]}]), "secret"),
    ],
)
def test_tokens_that_are_not_as_they_must_be_are_refused_without_being_shown(
    given: str, said: str
) -> None:
    with pytest.raises(ConfigError, match="SYNAPSE_STREAM_API_TOKENS") as refused:
        Access.load(Settings(api_tokens=SecretStr(given)))

    assert said in str(refused.value)
    assert not any(token in str(refused.value) for token in (*TOKENS.values(), "short"))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_without_tokens_a_foreign_name_that_leads_here_is_refused(
    api: httpx.Client, host: str
) -> None:
    for path in ("/api/jobs", "/", "/api/session"):
        answer = api.get(path, headers={"Host": host})
        assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8420", "[::1]:8420"])
def test_without_tokens_this_machines_own_names_are_taken(api: httpx.Client, host: str) -> None:
    assert api.get("/api/jobs", headers={"Host": host}).status_code == 200


def test_with_tokens_any_name_is_taken(guarded: httpx.Client) -> None:
    answer = guarded.get("/api/jobs", headers={"Host": "streams.example", **bearer("viewer")})

    assert answer.status_code == 200


def test_without_tokens_it_does_not_start_beyond_this_machine(tmp_path: Path) -> None:
    environ = {"SYNAPSE_STREAM_DATA_DIR": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-m", "consumers.api", "--host", "0.0.0.0", "--port", "0"]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "SYNAPSE_STREAM_API_TOKENS" in ended.stderr
    assert "Traceback" not in ended.stderr
