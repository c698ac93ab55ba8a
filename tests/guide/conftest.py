"""A server for the guide, found by the environment as any plugin finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.commands import command, environment
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.settings import Settings

__all__ = ["command", "environment"]


@pytest.fixture(autouse=True)
def deployment(environment: dict[str, str]) -> None:
    """Have `open_run`, `JobStream` and the command speak to one deployment without a word."""


@pytest.fixture
def consume(settings: Settings) -> Callable[[], None]:
    """Do once what `python -m consumers all` does for as long as it runs."""
    return lambda: project(settings)
