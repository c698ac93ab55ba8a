from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream
from tests.servers import TestServer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.cli.conftest import Said

ROOT = Path(__file__).parents[2]


@pytest.fixture
def left_behind(
    process: Callable[..., subprocess.Popen[bytes]],
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> TestServer:
    """Leave the spool of a plugin that was killed while its server was away; the server is back."""
    server = TestServer(tmp_path / "own")
    for name, value in {
        "SYNAPSE_STREAM_REDIS_URL": server.url,
        "SYNAPSE_STREAM_SPOOL_DIR": str(tmp_path / "spool"),
    }.items():
        environment[name] = value
        monkeypatch.setenv(name, value)
    plugin = process("run", "tests.cli.plugin:Wait", "--job-id", "killed", cwd=ROOT)
    assert plugin.stderr is not None
    assert any(b"waiting" in line for line in plugin.stderr)
    plugin.kill()
    plugin.communicate()
    return server


def test_what_a_killed_plugin_left_is_sent_and_its_death_recorded(
    left_behind: TestServer, command: Callable[..., Said]
) -> None:
    with left_behind:
        waiting = command("doctor")
        drained = command("drain")
        again = command("drain")
        kinds = [recorded.event.type for recorded in JobStream("killed").read()]

    assert "warning  left behind: 2 events of ended processes wait" in waiting.out
    assert drained.code == 0, drained
    assert "job killed: 3 events sent" in drained.out
    assert "its process had died, which is now recorded" in drained.out
    assert again.out.startswith("Nothing waits in")
    assert kinds == ["run_started", "message", "producer_lost"]


def test_as_json_every_spool_is_an_object(
    left_behind: TestServer, command: Callable[..., Said]
) -> None:
    with left_behind:
        (adoption,) = command("drain", "--json").objects

    assert adoption["job_id"] == "killed"
    assert (adoption["sent"], adoption["waiting"], adoption["is_lost"]) == (3, 0, True)


@pytest.mark.usefixtures("left_behind")
def test_while_the_server_is_away_the_answer_is_no_and_nothing_is_lost(
    command: Callable[..., Said],
) -> None:
    said = command("drain")

    assert said.code == 1
    assert "0 events sent" in said.out
    assert "2 still wait: the server" in said.out


def test_another_spool_directory_can_be_named(
    left_behind: TestServer,
    command: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_SPOOL_DIR", str(tmp_path / "elsewhere"))
    with left_behind:
        elsewhere = command("drain")
        named = command("drain", "--spool-dir", str(tmp_path / "spool"))

    assert elsewhere.out.startswith("Nothing waits")
    assert "job killed: 3 events sent" in named.out
