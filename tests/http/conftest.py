"""One filled deployment for all tests of the API: they only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.api.app import create_app
from synapse_stream.settings import Settings
from tests.support.jobs import fill
from tests.support.servers import TestServer
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from fastapi import FastAPI


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """Run a server that no other test empties."""
    with TestServer(tmp_path_factory.mktemp("http-server")) as running:
        yield running


@pytest.fixture(scope="session")
def filled(own_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Fill a deployment with jobs of every kind."""
    home = tmp_path_factory.mktemp("http")
    settings = Settings(redis_url=own_server.url, data_dir=home, spool_memory_bytes=0)
    fill(settings, own_server)
    return settings


@pytest.fixture(scope="session")
def app(filled: Settings) -> FastAPI:
    return create_app(filled)


@pytest.fixture(scope="session")
def api(app: FastAPI) -> Iterator[httpx.Client]:
    """Ask the application over HTTP."""
    with asked(app) as client:
        yield client
