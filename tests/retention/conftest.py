"""A deployment with short windows, its consumers in this process, its streams to be trimmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.views.opening import open_store
from synapse_stream.log.trimming import TrimLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.store.store import Store
    from synapse_stream.settings import Settings

SHORT = {"hot_seconds": 0, "rewind_seconds": 0.001, "partitions": 2}
"""What was read by all may go after a millisecond."""


@pytest.fixture
def brief(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Name short windows, and a store of SQLite files unless the test asks for PostgreSQL."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield settings.model_copy(update=SHORT)
        return
    with request.getfixturevalue("postgres").lend() as url:
        yield settings.model_copy(update={**SHORT, "store_url": url})


@pytest.fixture
def trim_log(brief: Settings) -> Iterator[TrimLog]:
    """Open the log of `brief`."""
    opened = TrimLog.open(brief)
    opened.check()
    yield opened
    opened.close()


@pytest.fixture
def store(brief: Settings) -> Iterator[Store]:
    """Open the store of `brief`."""
    opened = open_store(brief)
    yield opened
    opened.close()
