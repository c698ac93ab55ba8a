"""An archive on a real server and on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.views.opening import open_archive
from synapse_stream.log.feeds import FeedLog
from synapse_stream.reading.job_reader import JobReader
from tests.support.archiving import Archiver, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.views.archive.reader import StoredArchive
    from synapse_stream.settings import Settings

__all__ = ["settings"]


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
