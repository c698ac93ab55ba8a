"""The contract holds on every server program that this machine has."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from synapse_stream.log.server import find_binary
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator

BINARIES = sorted(
    {find_binary(), *filter(None, map(shutil.which, ("valkey-server", "redis-server")))}
)


@pytest.fixture(scope="session", params=BINARIES, ids=lambda path: path.rpartition("/")[2])
def binary(request: pytest.FixtureRequest) -> str:
    """Name a server program."""
    return str(request.param)


@pytest.fixture(scope="session")
def server(binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """Share one server of each program."""
    with TestServer(tmp_path_factory.mktemp("server"), binary=binary) as running:
        yield running
