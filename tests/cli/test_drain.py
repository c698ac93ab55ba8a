from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream
from synapse_stream.settings import Settings
from tests.support.dying import die
from tests.support.servers import TestServer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.support.commands import Said

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


def test_what_is_in_another_place_is_listed_with_what_sends_it(
    left_behind: TestServer,
    command: Callable[..., Said],
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Its shared memory tells of it; the server that it was for is another one."""
    there = tmp_path / "there"
    memory = Path(environment["SYNAPSE_STREAM_MEMORY_DIR"])
    die(Settings(redis_url=None, data_dir=there, memory_dir=memory))
    monkeypatch.setenv("SYNAPSE_STREAM_SPOOL_DIR", str(tmp_path / "elsewhere"))
    with left_behind:
        listed = command("drain")
        looked = command("doctor")
        sent = command("drain", "--spool-dir", str(there / "spool"))

    assert listed.code == 1
    for said in (listed, looked):
        assert "job job-1: 0 events sent, 2 still wait: it was to go to no server yet" in said.out
        assert f"`drain --spool-dir {there / 'spool'}` sends it" in said.out
        assert re.search(r"\(process \d+ on \S+, user \S+, last sign \d+ s ago; ", said.out)
    assert "job job-1: 3 events sent" in sent.out


def test_a_run_without_a_server_is_sent_when_one_is_set(
    command: Callable[..., Said], environment: dict[str, str], tmp_path: Path
) -> None:
    """As the warning of that run advises."""
    data = Path(environment["SYNAPSE_STREAM_DATA_DIR"])
    die(Settings(redis_url=None, data_dir=data, spool_memory_bytes=0))

    said = command("drain")

    assert (said.code, said.err) == (0, "")
    assert "job job-1: 3 events sent" in said.out


def test_what_may_be_in_use_elsewhere_is_sent_when_its_host_is_gone(
    command: Callable[..., Said], environment: dict[str, str]
) -> None:
    memory, data = (
        Path(environment[f"SYNAPSE_STREAM_{name}"]) for name in ("MEMORY_DIR", "DATA_DIR")
    )
    homes = die(Settings(redis_url=None, data_dir=data, memory_dir=memory))
    shutil.rmtree(homes[0])  # as when a container with its own shared memory is removed
    host = os.uname().nodename

    left = command("drain")
    (told,) = command("drain", "--json").objects
    taken = command("drain", "--from-dead-host", host)

    assert left.code == 1
    assert f"a part of it is not here: its shared memory on {host}" in left.out
    assert f"if that does not come back, `synapse-stream drain --from-dead-host {host}`" in left.out
    assert f"`synapse-stream drain --from-dead-host {host}` sends what is here" in left.out
    assert (told["job_id"], told["host"], told["sent"]) == ("job-1", host, 0)
    assert told["trouble"].startswith("a part of it is not here")
    assert taken.code == 0
    (loss, lost) = [recorded.event for recorded in JobStream("job-1").read()][-2:]
    assert (loss.type, lost.type) == ("loss", "producer_lost")
    assert "unproved" in loss.reason  # type: ignore[attr-defined]


def test_an_odd_spool_is_named_and_does_not_stop_the_rest(
    left_behind: TestServer, command: Callable[..., Said], tmp_path: Path
) -> None:
    odd = tmp_path / "spool" / "0123456789abcdef"
    odd.mkdir()
    (odd / "producer.json").write_text('{"format":99}')
    with left_behind:
        said = command("drain")

    assert said.code == 1
    assert "job killed: 3 events sent" in said.out
    assert f"spool {odd} of user" in said.out
    assert "a later version wrote it: it has format 99" in said.out
    assert odd.is_dir()
