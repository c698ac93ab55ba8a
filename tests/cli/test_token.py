"""`synapse-stream token`: tokens that the API takes, made here or asked for."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import jwt
import orjson
import pytest

from synapse_stream.errors import LogUnavailable
from synapse_stream.remote.log import RemoteLog
from synapse_stream.remote.tokens import Role, read
from tests.support import doors
from tests.support.chains import Chain
from tests.support.doors import SECRET, token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.settings import Settings
    from tests.support.commands import Said
    from tests.support.servers import TestServer


def test_tokens_are_made_with_the_secret_that_is_set_or_that_of_the_data_directory(
    command: Callable[..., Said], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = command("token", "job-1").out.strip()
    key = (settings.data_dir / "api.key").read_text().strip()
    monkeypatch.setenv("SYNAPSE_STREAM_TOKEN_SECRET", SECRET)
    reader = command("token", "team-*", "--role", "viewer", "--for", "90s", "--fixed", "--json")
    everything = read(command("token", "*", "--append", "--role", "developer").out.strip(), SECRET)

    claims = read(own, key)
    assert claims is not None
    assert (claims.jobs, claims.append, claims.role, claims.life) == ("job-1", True, None, 86_400)
    (made,) = reader.objects
    claims = read(made["token"], SECRET)
    assert claims is not None
    assert (claims.jobs, claims.append, claims.role) == ("team-*", False, Role.VIEWER)
    assert (claims.life, claims.id, claims.expires) == (None, made["id"], made["expires"])
    assert abs(claims.expires - time.time() - 90) < 60
    assert everything is not None
    assert (everything.jobs, everything.append, everything.role) == (None, True, "developer")


def test_a_token_is_asked_for_and_revoked_over_http_by_an_operator(
    command: Callable[..., Said],
    server: TestServer,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with doors.opened(server, tmp_path / "api", namespace=settings.namespace) as door:
        monkeypatch.delenv("SYNAPSE_STREAM_REDIS_URL")
        monkeypatch.setenv("SYNAPSE_STREAM_URL", door.url)
        monkeypatch.setenv("SYNAPSE_STREAM_TOKEN", doors.OPERATOR)
        (made,) = command("token", "job-1", "--json").objects
        log = RemoteLog(door.plugin(tmp_path, made["token"]))
        with closing(log):
            batch = Chain().add()
            taken = log.append(batch)
            revoked = command("token", "--revoke", made["id"])
            with pytest.raises(LogUnavailable, match="was revoked"):
                log.append(batch)
        monkeypatch.setenv("SYNAPSE_STREAM_TOKEN", token("job-1"))
        refused = command("token", "job-1")

    assert taken.last == 0
    assert revoked.code == 0
    assert refused.code == 1
    assert "this is for operators, and plugin is none" in refused.err


def test_a_token_is_revoked_on_the_server_itself(
    command: Callable[..., Said], server: TestServer, settings: Settings
) -> None:
    command("token", "--revoke", "abc")

    assert server.command("HKEYS", f"{settings.namespace}:revoked") == [b"abc"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a JOB"),
        (("job-1", "--revoke", "x"), "name a JOB"),
        (("job-1", "--for", "ever"), "--for 'ever' is no span"),
        (("job-1", "--for", "9999d"), "400 days"),
        (("job-1", "--role", "king"), "role"),
        (("job-1", "--name", "a b"), "name"),
    ],
)
def test_what_is_no_token_is_not_made(
    command: Callable[..., Said], words: tuple[str, ...], said: str
) -> None:
    answer = command("token", *words)

    assert answer.code == 2
    assert said in answer.err


def test_a_program_of_another_language_makes_a_token_by_the_documented_claims() -> None:
    now = int(time.time())
    claims = {
        "sub": "theirs",
        "jti": "a1",
        "iat": now,
        "exp": now + 60,
        "jobs": "a",
        "append": True,
    }
    made = jwt.encode(claims, SECRET, "HS256")
    found = read(made, SECRET)

    assert found is not None
    assert orjson.loads(found.model_dump_json(by_alias=True, exclude_none=True)) == claims
    forever = jwt.encode({**claims, "exp": now + 10**9}, SECRET, "HS256")
    none = jwt.encode(claims, "", "none")
    assert [read(each, SECRET) for each in (forever, none, "", "a.b.c", "ü.ü.ü")] == [None] * 5
