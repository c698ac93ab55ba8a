"""A deployment that is followed over HTTP: a real server, the application on a port of its own."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from consumers.api.app import create_app
from synapse_stream.log.feeds import FeedLog
from synapse_stream.settings import Settings
from tests.support import events
from tests.support.chains import Chain
from tests.support.frames import check_frames
from tests.support.scenes.reader import Reader
from tests.support.servers import TestServer, wait_until
from tests.support.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.api.live import Hub

_numbers = count()

STARTED = events.started()


class Deployment:
    """Jobs that report, and clients that follow them."""

    def __init__(self, server: TestServer, settings: Settings, exits: ExitStack) -> None:
        self.server = server
        self.settings = settings
        self.log = FeedLog.open(settings)
        exits.callback(self.log.close)
        app = create_app(settings)
        self.hub: Hub = app.state.hub
        self.port = exits.enter_context(served(app))
        self.chains: dict[str, Chain] = {}
        self.readers: list[Reader] = []

    def report(self, job: str, *events: dict[str, Any]) -> None:
        """Append one batch of a job's producer; a new one starts its run first."""
        if job not in self.chains:
            self.chains[job] = Chain(job, f"producer of {job}")
            events = (STARTED, *events)
        self.log.append(self.chains[job].add(*events))

    def follow(self, job: str | None, **options: Any) -> Reader:
        """Connect a client."""
        self.readers.append(Reader(self.port, job, **options))
        return self.readers[-1].connect()

    def leave(self) -> None:
        """Disconnect all clients."""
        for reader in self.readers:
            reader.leave()
            check_frames(reader.sent)
        self.readers.clear()
        wait_until(lambda: self.hub.clients == 0)


@pytest.fixture(scope="session")
def one_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Serve one deployment for all tests: preparing its views takes longer than each of them."""
    home = tmp_path_factory.mktemp("live")
    with TestServer(home / "server") as server, ExitStack() as exits:
        settings = Settings(redis_url=server.url, data_dir=home)
        yield Deployment(server, settings, exits)


@pytest.fixture
def deployment(one_deployment: Deployment) -> Iterator[Deployment]:
    yield one_deployment
    one_deployment.leave()


@pytest.fixture
def job() -> str:
    """Name a job that no other test has."""
    return f"team/a b {next(_numbers)}"


def message(number: int, padding: int = 0) -> dict[str, Any]:
    return events.message(f"{number} {'x' * padding}")


def metrics(number: int, step: str | None = None) -> dict[str, Any]:
    return events.metrics({"loss": number}, step=step)


def progress(number: int, total: int = 1_000_000) -> dict[str, Any]:
    return events.progress(number, total, "training")
