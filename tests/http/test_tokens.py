"""Tokens and sessions: how strong they are, how they are kept, how they end."""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from http.cookies import SimpleCookie
from itertools import count
from threading import Barrier
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from consumers.api.access import COOKIE, Access
from consumers.api.app import create_app
from consumers.api.ended import EndedSessions
from consumers.api.tokens import LEAST_BITS, bits_of, local_token
from synapse_stream.errors import ConfigError
from synapse_stream.remote.secret import own_secret
from synapse_stream.settings import Settings
from tests.support.jobs import HOSTILE
from tests.support.serving import DEADLINE_SECONDS, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

STRONG = "0123456789abcdef0123456789abcdef"
ROUNDS = 30


def given(**fields: Any) -> SecretStr:
    return SecretStr(json.dumps([{"name": "ada", "role": "viewer", **fields}]))


def session_of(answer: httpx.Response) -> str:
    return SimpleCookie(answer.headers["set-cookie"])[COOKIE].value


@pytest.mark.parametrize(
    ("token", "is_enough"),
    [
        (STRONG, True),
        (STRONG[:-1], False),
        ("a" * 64, False),
        ("abcabcabc" * 10, False),
        ("viewer-token-0123456789", True),
        ("correct horse", False),
        ("Zm9vYmFyYmF6cXV4cXV1eA", True),
        ("", False),
    ],
)
def test_a_token_has_128_bits(token: str, *, is_enough: bool) -> None:
    assert (bits_of(token) >= LEAST_BITS) == is_enough
    if is_enough:
        assert Access.load(Settings(api_tokens=given(token=token))).by_token(token)
        return
    with pytest.raises(ConfigError, match="128 bits") as refused:
        Access.load(Settings(api_tokens=given(token=token)))
    assert not token or token not in str(refused.value)


def test_a_token_of_whose_hash_only_the_beginning_is_right_is_none() -> None:
    right = sha256(STRONG.encode()).digest()
    near = next(
        text for text in map(str, count()) if sha256(text.encode()).digest()[:2] == right[:2]
    )
    access = Access.load(Settings(api_tokens=given(token=STRONG)))

    assert access.by_token(near) is None
    assert access.open_session(near) is None
    assert access.by_token(STRONG[:-1]) is None


def test_only_the_hash_of_a_token_need_lie_there(tmp_path: Path) -> None:
    digest = sha256(STRONG.encode()).hexdigest()
    settings = Settings(api_tokens=given(sha256=digest), data_dir=tmp_path)

    access = Access.load(settings)
    session = access.open_session(STRONG)

    assert access.by_token(STRONG) is not None
    assert access.by_token(digest) is None
    assert access.open_session(digest) is None
    assert session is not None
    assert Access.load(settings).by_session(session) is not None  # started again
    (tmp_path / "api.key").unlink()
    assert Access.load(settings).by_session(session) is None


@pytest.mark.parametrize(
    "fields",
    [{}, {"token": STRONG, "sha256": "0" * 64}, {"sha256": "0" * 63}, {"sha256": "G" * 64}],
)
def test_a_caller_has_either_a_token_or_a_hash(fields: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        Access.load(Settings(api_tokens=given(**fields)))


def test_a_token_that_has_expired_is_none_and_its_sessions_are_over() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    access = Access.load(Settings(api_tokens=given(token=STRONG, expires=soon.isoformat())))
    session = access.open_session(STRONG)
    assert session is not None
    assert access.by_session(session) is not None

    while datetime.now(UTC) < soon:
        time.sleep(0.05)

    assert access.by_token(STRONG) is None
    assert access.by_session(session) is None
    assert access.open_session(STRONG) is None


def test_the_token_of_this_machine_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "data" / "api.token"
    made = local_token(file).token
    assert made is not None
    assert file.stat().st_mode & 0o777 == 0o600
    assert bits_of(made.get_secret_value()) >= LEAST_BITS
    assert local_token(file).token == made

    others = [made]
    file.chmod(0o640)
    others.append(local_token(file).token or made)
    file.write_text("short\n")
    others.append(local_token(file).token or made)
    theirs = tmp_path / "theirs"
    theirs.write_text(made.get_secret_value())
    theirs.chmod(0o600)
    file.unlink()
    file.symlink_to(theirs)
    others.append(local_token(file).token or made)

    assert len({one.get_secret_value() for one in others}) == 4
    assert not file.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600
    assert theirs.read_text() == made.get_secret_value()


@pytest.fixture
def machine(filled: Settings) -> Iterator[httpx.Client]:
    """Ask an application that was given no tokens, as `up` starts it."""
    with asked(create_app(filled, Access.of_this_machine(filled))) as client:
        yield client


def test_the_address_with_the_token_is_exchanged_for_a_session(
    machine: httpx.Client, filled: Settings
) -> None:
    token = filled.token_file.read_text().strip()
    without = machine.get("/api/jobs")
    for path, clean in (
        (f"/?token={token}", "/"),
        (f"/job?id=a%2Fb%26c&token={token}", "/job?id=a%2Fb%26c"),
    ):
        answer = machine.get(path)
        cookie = {"Cookie": f"{COOKIE}={session_of(answer)}"}
        machine.cookies.clear()

        assert answer.status_code == 303
        assert answer.next_request is not None
        assert answer.next_request.url == machine.base_url.join(clean)
        assert token not in str(answer.headers)
        assert answer.headers["cache-control"] == "no-store"
        assert machine.get("/api/jobs", headers=cookie).status_code == 200
        assert machine.get("/api/session", headers=cookie).json()["role"] == "operator"
    assert without.status_code == 401
    assert machine.get("/api/jobs", headers={"Authorization": f"Bearer {token}"}).is_success


def test_an_address_with_a_wrong_token_is_cleaned_and_opens_nothing(machine: httpx.Client) -> None:
    answer = machine.get("/job?token=wrong&id=x")

    assert answer.status_code == 303
    assert answer.headers["location"].endswith("job?id=x")
    assert "set-cookie" not in answer.headers
    away = machine.get("//evil.example/?token=x")
    assert "evil" not in away.headers.get("location", "")


def test_this_machines_token_does_not_let_foreign_names_in(
    machine: httpx.Client, filled: Settings
) -> None:
    headers = {"Authorization": f"Bearer {filled.token_file.read_text().strip()}"}

    answer = machine.get("/api/jobs", headers={**headers, "Host": "evil.example"})

    assert answer.status_code == 421


def test_signing_out_ends_the_session_wherever_it_is_kept(filled: Settings, tmp_path: Path) -> None:
    settings = filled.model_copy(
        update={"api_tokens": given(token=STRONG), "data_dir": tmp_path, "store_url": None}
    )
    app = create_app(settings)
    with asked(app) as client:
        answers = [client.post("/api/session", json={"token": STRONG}) for _ in range(2)]
        kept, other = ({"Cookie": f"{COOKIE}={session_of(answer)}"} for answer in answers)
        client.cookies.clear()
        assert client.get("/api/jobs", headers=kept).status_code == 200
        with client.stream("GET", "/api/live", headers=kept) as live:
            stream = live.iter_bytes()
            assert next(stream).startswith(b"retry:")
            client.delete("/api/session", headers=kept)
            app.state.hub._post(app.state.hub.jobs.beat)  # as it comes every 15 s
            assert b"".join(stream) == b""
        assert client.get("/api/jobs", headers=kept).status_code == 401
        assert client.get("/api/jobs", headers=other).status_code == 200
        assert "Max-Age=0" in client.delete("/api/session", headers=kept).headers["set-cookie"]
    with asked(create_app(settings)) as again:
        assert again.get("/api/jobs", headers=kept).status_code == 401
        assert again.get("/api/jobs", headers=other).status_code == 200
    session = kept["Cookie"].partition("=")[2]
    assert session not in (tmp_path / "api.ended").read_text()


def test_processes_that_begin_at_once_have_one_token_and_one_key(tmp_path: Path) -> None:
    def secrets(home: Path, _which: int) -> tuple[str, str]:
        token = local_token(home / "api.token").token
        assert token is not None
        return own_secret(home / "api.key"), token.get_secret_value()

    for number in range(ROUNDS):
        found = at_once(partial(secrets, tmp_path / str(number)))
        assert found[0] == found[1]


def test_sessions_that_end_at_once_in_several_processes_have_all_ended(tmp_path: Path) -> None:
    until = int(time.time()) + 60

    def end(file: Path, which: int) -> None:
        EndedSessions(file).add(f"session {which}", until)

    for number in range(ROUNDS):
        file = tmp_path / f"{number}.ended"
        at_once(partial(end, file))
        known = EndedSessions(file)
        assert [known.has(f"session {which}") for which in range(2)] == [True, True]


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """Do it twice, in threads that begin at once, each as a process would."""
    gate = Barrier(2)

    def begin(which: int) -> Any:
        gate.wait()
        return work(which)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(begin, range(2)))


def test_wrong_tokens_are_slowed_down_and_logged_and_right_ones_not(
    filled: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = filled.model_copy(update={"api_tokens": given(token=STRONG)})
    right = {"Authorization": f"Bearer {STRONG}"}

    def seconds(headers: dict[str, str]) -> float:
        begun = time.monotonic()
        client.get("/api/jobs", headers=headers)
        return time.monotonic() - begun

    app = create_app(settings)
    with asked(app) as client:
        took = [
            seconds({"Authorization": f"Bearer wrong-{n}", "X-Forwarded-For": f"192.0.2.{n}"})
            for n in range(20)
        ]
        least = min(seconds(right) for _ in range(5))

    assert min(took[-3:]) >= 0.18 > least
    said = [
        record.getMessage() for record in caplog.records if "wrong token" in record.getMessage()
    ]
    assert said == [
        "a wrong token came from 127.0.0.1, the 1. time",
        "a wrong token came from 127.0.0.1, the 10. time",
    ]
    assert "wrong-" not in caplog.text
    assert logging.getLevelName(caplog.records[0].levelno) == "WARNING"


def test_only_of_a_proxy_that_is_named_it_is_believed_whose_a_request_is(
    filled: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    given_tokens = {"api_tokens": given(token=STRONG)}
    forwarded = {"X-Forwarded-For": "192.0.2.7, 198.51.100.1", "X-Forwarded-Proto": "https"}
    for proxies, address in ((None, "127.0.0.1"), ("127.0.0.1,198.51.100.0/24", "192.0.2.7")):
        settings = filled.model_copy(update={**given_tokens, "api_proxies": proxies})
        with asked(create_app(settings)) as client:
            client.get("/api/jobs", headers={"Authorization": "Bearer wrong", **forwarded})
            plain, tls = (
                client.post("/api/session", json={"token": STRONG}, headers=headers)
                for headers in ({}, forwarded)
            )

        assert f"a wrong token came from {address}, the 1. time" in caplog.text
        assert "Secure" in tls.headers["set-cookie"]
        assert "Secure" not in plain.headers["set-cookie"]


def test_so_many_wrong_tokens_that_nobody_waits_for_them(filled: Settings) -> None:
    settings = filled.model_copy(update={"api_tokens": given(token=STRONG)})
    app = create_app(settings)
    with asked(app) as client:
        strangers = app.state.strangers
        client.get("/api/jobs", headers={"Authorization": "Bearer wrong"})
        strangers._tries["127.0.0.1"].free_at = time.monotonic() + 60
        answer = client.get("/api/jobs", headers={"Authorization": "Bearer wrong"})
        signing = client.post("/api/session", json={"token": "wrong"})
        right = client.get("/api/jobs", headers={"Authorization": f"Bearer {STRONG}"})

    assert (answer.status_code, signing.status_code, right.status_code) == (429, 429, 200)
    assert answer.headers["retry-after"]


def test_viewers_get_no_type_of_event_that_is_not_listed(filled: Settings) -> None:
    tokens = [
        {"name": "v", "role": "viewer", "token": f"{STRONG}v"},
        {"name": "d", "role": "developer", "token": f"{STRONG}d"},
    ]
    settings = filled.model_copy(update={"api_tokens": SecretStr(json.dumps(tokens))})
    path = f"/api/jobs/{quote(HOSTILE, safe='')}/events"
    with asked(create_app(settings)) as client:
        seen, everything = (
            client.get(path, headers={"Authorization": f"Bearer {STRONG}{who}"}).text
            for who in "vd"
        )

    assert "from the future" in everything
    assert "from the future" not in seen


def test_without_a_token_it_says_what_that_means(tmp_path: Path) -> None:
    import subprocess
    import sys

    said = subprocess.run(
        [sys.executable, "-m", "consumers.api", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_SECONDS,
    )

    assert "every user and every program of this machine" in " ".join(said.stdout.split())
