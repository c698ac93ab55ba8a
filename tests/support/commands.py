"""The command `synapse-stream`, run in the test's process as its users run it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest

from synapse_stream.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.settings import Settings


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def objects(self) -> list[Any]:
        """The JSON lines of its output."""
        return [orjson.loads(line) for line in self.lines]


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Point the command to the shared server by environment variables, as its users do."""
    for name in [name for name in os.environ if name.startswith("SYNAPSE_STREAM_")]:
        monkeypatch.delenv(name)
    shown = {
        "SYNAPSE_STREAM_REDIS_URL": str(settings.redis_url),
        "SYNAPSE_STREAM_NAMESPACE": settings.namespace,
        "SYNAPSE_STREAM_DATA_DIR": str(settings.data_dir),
        "SYNAPSE_STREAM_MEMORY_DIR": str(settings.memory_dir),
        "SYNAPSE_STREAM_SPOOL_MEMORY_BYTES": "0",
        "SYNAPSE_STREAM_CONNECT_SECONDS": "30",
        "SYNAPSE_STREAM_EXIT_WAIT_SECONDS": "30",
        "COLUMNS": "200",
    }
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **shown}


@pytest.fixture
def command(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Callable[..., Said]:
    """Return a function that runs `synapse-stream` with its arguments."""

    def run(*arguments: str) -> Said:
        capfdbinary.readouterr()
        monkeypatch.setattr(sys, "argv", ["synapse-stream", *arguments])
        monkeypatch.setattr(sys, "path", [*sys.path])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfdbinary.readouterr()
        code = left.value.code
        assert isinstance(code, int)
        return Said(code, out.decode(), err.decode())

    return run
