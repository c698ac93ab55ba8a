"""What the shell completes after Tab."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from synapse_stream.cli.app import app
from synapse_stream.cli.shared.completion import job_ids
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings


def _wait_for_the_next_ms() -> None:
    now = time.time_ns() // 1_000_000
    wait_until(lambda: time.time_ns() // 1_000_000 > now)


@pytest.fixture
def jobs(log: EventLog, settings: Settings, environment: dict[str, str]) -> dict[str, str]:
    """Have three jobs; return the environment in which the command knows them."""
    for job in ("digits-1", "digits-2", "export"):
        log.append(Chain(job).add({"type": "run_started", "rank": 0}))
        _wait_for_the_next_ms()  # ids of entries tell which is newer
    project(settings)
    return environment


@pytest.mark.parametrize("name", ["show", "watch", "messages", "metrics", "events"])
def test_every_command_that_takes_a_job_completes_its_id(
    jobs: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    group: Any = get_command(app)
    (job,) = [found for found in group.commands[name].params if found.name == "job"]

    offered = job.shell_complete(group.make_context("synapse-stream", [name, "x"]), "dig")

    assert [found.value for found in offered] == ["digits-2", "digits-1"]


@pytest.mark.usefixtures("jobs")
def test_an_id_is_completed_from_its_beginning_the_newest_first() -> None:
    assert job_ids("") == ["export", "digits-2", "digits-1"]
    assert job_ids("igits") == []


def test_without_views_nothing_is_offered_and_nothing_said(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_STORE_URL", "postgresql://nobody@127.0.0.1:1/none")

    assert job_ids("") == []
    assert capfd.readouterr() == ("", "")


def test_bash_completes_with_the_script_that_is_shown(jobs: dict[str, str], tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "synapse_stream.cli", "--show-completion", "bash"],
        env={**jobs, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    function = re.findall(r"complete .*-F (\w+) synapse-stream", shown.stdout)[0]
    program = tmp_path / "synapse-stream"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m synapse_stream.cli "$@"\n')
    program.chmod(0o755)
    script = f"""{shown.stdout}
        COMP_WORDS=(synapse-stream show dig) COMP_CWORD=2
        {function} {program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """

    said = subprocess.run(
        ["/bin/bash", "-c", script], env=jobs, capture_output=True, text=True, check=True
    )

    assert said.stdout.split() == ["digits-2", "digits-1"]
