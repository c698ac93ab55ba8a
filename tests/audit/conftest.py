"""A deployment with recorded runs, and somebody who changes them behind its back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.log.feeds import FeedLog
from tests.support.archiving import settings
from tests.support.tampering import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.settings import Settings

__all__ = ["settings"]


@pytest.fixture
def deployment(settings: Settings) -> Iterator[Deployment]:
    """Open streams, projections and a store."""
    log = FeedLog.open(settings)
    log.check()
    opened = Deployment(settings, log)
    yield opened
    opened.close()
    log.close()
