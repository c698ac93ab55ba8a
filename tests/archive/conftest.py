"""An archive on a real server and on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.views.archive.reader import open_archive
from synapse_stream.log.feeds import FeedLog
from synapse_stream.reading.job_reader import JobReader
from synapse_stream.settings import Settings
from tests.consumers.conftest import store_url
from tests.support.archiving import Archiver
from tests.support.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumers.views.archive.reader import StoredArchive
    from tests.support.servers import TestServer

__all__ = ["postgres", "store_url"]


@pytest.fixture
def settings(
    server: TestServer, namespace: str, tmp_path: Path, store_url: str | None
) -> Iterator[Settings]:
    """Name streams and a store that no other test uses."""
    yield Settings(
        redis_url=server.url,
        namespace=namespace,
        data_dir=tmp_path,
        store_url=store_url,
        partitions=2,
    )
    with server.client() as client:
        client.flushall()


@pytest.fixture
def log(settings: Settings) -> Iterator[FeedLog]:
    """Open the streams."""
    opened = FeedLog.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def archiver(settings: Settings, log: FeedLog) -> Iterator[Archiver]:
    """Archive in this process, when it is told to."""
    opened = Archiver(settings, log)
    yield opened
    opened.close()


@pytest.fixture
def archive(settings: Settings) -> Iterator[StoredArchive]:
    """Read the archive."""
    opened = open_archive(settings)
    yield opened
    opened.close()


@pytest.fixture
def reader(settings: Settings, log: FeedLog) -> Iterator[JobReader]:
    """Read streams and archive as one."""
    opened = JobReader(log, lambda: open_archive(settings))
    yield opened
    opened.close()
