"""A deployment whose API takes signed tokens, for tests of what comes through that door."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from consumers.api.app import create_app
from synapse_stream.remote.tokens import Claims, Role, issue, sign
from synapse_stream.settings import Settings
from tests.support.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.servers import TestServer

SECRET = "a secret of 32 characters or more"


def token(jobs: str | None = None, **claims: Any) -> str:
    """Return a token; without claims one that appends."""
    seconds = claims.pop("seconds", 3600)
    name = claims.pop("name", "plugin")
    given = {"append": True, **claims} if "role" not in claims else claims
    return sign(issue(name, seconds, jobs=jobs, **given), SECRET)


def expired(jobs: str) -> str:
    """Return a token that was one until a second ago."""
    now = int(time.time())
    times: dict[str, Any] = {"issued": now - 60, "expires": now - 1}
    return sign(Claims(id="old", name="plugin", jobs=jobs, append=True, **times), SECRET)


OPERATOR = token(name="operator", role=Role.OPERATOR)


class Door(NamedTuple):
    """A served deployment."""

    settings: Settings
    """How its server is reached."""
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def plugin(self, home: Path, token: str | None, **more: Any) -> Settings:
        """Return the settings of a plugin that has only an address and a token."""
        given: dict[str, Any] = {"url": self.url, "token": token, "data_dir": home}
        patient = {"spool_memory_bytes": 0, "exit_wait_seconds": 20.0, "connect_seconds": 10.0}
        return Settings(**{**given, **patient, **more})


@contextmanager
def opened(server: TestServer, home: Path, **settings: Any) -> Iterator[Door]:
    """Serve a deployment on `server`."""
    given = {"token_secret": SecretStr(SECRET), "spool_memory_bytes": 0, **settings}
    of_server = Settings(**{"redis_url": server.url, "data_dir": home, **given})
    with served(create_app(of_server)) as port:
        yield Door(of_server, port)
