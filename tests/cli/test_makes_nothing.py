"""Who only reads makes nothing, neither where data would lie nor in shared memory."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.settings import Settings
    from tests.support.commands import Said

READING = [
    "jobs",
    "show job-1",
    "show job-1 --at -10m",
    "compare job-1 job-2",
    "messages job-1",
    "metrics job-1",
    "events job-1",
    "verify job-1",
    "verify --all",
    "replay job-1",
    "export job-1 -o -",
    "doctor",
    "lag",
    "trim --dry-run",
    "parked list",
]


def everything(settings: Settings) -> list[tuple[str, int]]:
    return sorted(
        (str(path), path.stat().st_mtime_ns)
        for folder in (settings.data_dir, settings.memory_dir)
        for path in (folder, *folder.rglob("*"))
    )


@pytest.fixture
def nowhere(
    settings: Settings, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Name a data directory that is not there."""
    home = settings.data_dir / "not" / "yet"
    monkeypatch.setenv("SYNAPSE_STREAM_DATA_DIR", str(home))
    monkeypatch.delenv("SYNAPSE_STREAM_SPOOL_MEMORY_BYTES")
    environment["SYNAPSE_STREAM_DATA_DIR"] = str(home)
    del environment["SYNAPSE_STREAM_SPOOL_MEMORY_BYTES"]
    return home


def test_who_reads_makes_nothing(
    nowhere: Path, settings: Settings, command: Callable[..., Said]
) -> None:
    before = everything(settings)

    for words in READING:
        said = command(*words.split())

        assert said.out or said.err, words
        assert "Usage" not in said.err, words
        assert everything(settings) == before, words


def test_who_waits_for_a_job_makes_nothing(
    nowhere: Path, settings: Settings, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    before = everything(settings)

    with process("watch", "job-1") as watching:
        assert watching.stderr is not None
        said = watching.stderr.readline()
        watching.send_signal(signal.SIGINT)

    assert b"waiting for it" in said
    assert everything(settings) == before
