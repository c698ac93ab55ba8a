"""Consumers on a real server and on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.log.feeds import FeedLog
from synapse_stream.settings import Settings
from tests.support.scenes.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.servers import TestServer


@pytest.fixture
def open_stage(
    server: TestServer, namespace: str, tmp_path: Path, store_url: str | None
) -> Iterator[Callable[..., Stage]]:
    """Make a deployment whose leases last so many seconds."""
    opened: list[Stage] = []

    def open_one(lease_seconds: float, partitions: int = 16) -> Stage:
        settings = Settings(
            redis_url=server.url,
            namespace=namespace,
            data_dir=tmp_path,
            store_url=store_url,
            partitions=partitions,
            lease_seconds=lease_seconds,
        )
        opened.append(Stage(tmp_path / "stage", settings).prepare())
        return opened[-1]

    yield open_one
    for stage in opened:
        stage.__exit__()
    with server.client() as client:
        client.flushall()


@pytest.fixture
def feeds(settings: Settings) -> Iterator[FeedLog]:
    """Open the feeds of the shared server."""
    log = FeedLog.open(settings)
    yield log
    log.close()
