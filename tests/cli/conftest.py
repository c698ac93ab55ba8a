"""Run the command in this process, or in one of its own, on the shared server."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.commands import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["command", "environment"]


@pytest.fixture
def process(environment: dict[str, str]) -> Callable[..., subprocess.Popen[bytes]]:
    """Return a function that starts `synapse-stream` as a process of its own."""

    def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "synapse_stream.cli", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    return start
