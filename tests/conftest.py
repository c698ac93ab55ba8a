"""A real server for every test that wants one, and a namespace of its own for each test."""

from __future__ import annotations

import re
import signal
import uuid
from typing import TYPE_CHECKING

import hypothesis
import pytest

from synapse_stream.log.event_log import open_log
from synapse_stream.settings import Settings
from tests.support.homes import own_memory
from tests.support.postgres import postgres, store_url
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.log.event_log import EventLog

__all__ = ["postgres", "store_url"]

# An example takes as long as the machine is busy: only a whole test has a time limit.
hypothesis.settings.register_profile("patient", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("patient")

# A shell ignores Ctrl-C for what it runs in the background, nohup the end of a terminal, and what a
# test starts inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """Share one server among the tests of a process: do not kill it, start your own for that."""
    with TestServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def namespace() -> str:
    """Name a namespace that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def settings(server: TestServer, namespace: str, tmp_path: Path) -> Iterator[Settings]:
    """Point to the shared server; afterwards fail if a key is none of keys.py's.

    A test that needs a second namespace calls it `elsewhere`.
    """
    with server.client() as client:
        client.flushall()  # of tests that use the server without this
    with own_memory() as memory:
        yield Settings(
            redis_url=server.url, namespace=namespace, data_dir=tmp_path, memory_dir=memory
        )
    known = re.compile(
        rf"({namespace}|elsewhere):(config|anchors|retired|revoked"
        r"|\{\d+\.\w{4}\}:(feed|trimmed|(job|producers|book|once):.+"
        r"|operators:(job|producers):\.trail))"
    )
    with server.client() as client:
        written = [key.decode() for key in client.scan_iter(count=1000)]
        client.flushall()
    foreign = [key for key in written if not known.fullmatch(key)]
    assert foreign == [], "keys that keys.py does not know"


@pytest.fixture
def log(settings: Settings) -> Iterator[EventLog]:
    """Open the log of `settings`."""
    opened = open_log(settings)
    yield opened
    opened.close()
