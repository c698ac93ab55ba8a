from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream
from synapse_stream.models import RunStatus
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from synapse_stream.settings import Settings
    from tests.support.commands import Said

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def types_of(settings: Settings, job: str) -> list[str]:
    return [recorded.event.type for recorded in JobStream(job, settings).read()]


def end_of(settings: Settings, job: str) -> RunStatus:
    *_, last = JobStream(job, settings).read()
    return RunStatus(last.event.model_dump()["status"])


def test_an_action_that_completes_is_shown_and_recorded(
    command: Callable[..., Said], settings: Settings
) -> None:
    said = command("run", "tests.cli.plugin:Count", "--job-id", "counting")

    assert said.code == 0, said
    assert "Counting [bold]up[/bold] \n" in said.out + said.err
    kinds = types_of(settings, "counting")
    assert kinds == ["run_started", "message", *["progress", "metrics"] * 3, "end"]
    assert end_of(settings, "counting") == RunStatus.COMPLETED


@pytest.mark.parametrize("as_file", [False, True])
def test_parameters_come_from_the_command_line_or_a_file(
    command: Callable[..., Said], settings: Settings, tmp_path: Path, *, as_file: bool
) -> None:
    given = '{"to": 1}'
    if as_file:
        (tmp_path / "params.json").write_text(given)
        given = f"@{tmp_path / 'params.json'}"

    said = command("run", "tests.cli.plugin:Count", "--job-id", "once", "--params", given)

    assert said.code == 0, said
    assert types_of(settings, "once").count("progress") == 1


def test_an_action_that_fails_is_exit_code_1_with_the_plugins_own_traceback(
    command: Callable[..., Said], settings: Settings
) -> None:
    said = command("run", "tests.cli.plugin:Fail", "--job-id", "failing")

    assert said.code == 1
    assert said.err.rstrip().endswith("LookupError: the data are gone")
    assert "tests/cli/plugin.py" in said.err
    assert "synapse_stream/" not in said.err
    assert end_of(settings, "failing") == RunStatus.FAILED


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_run_that_is_stopped_is_recorded_as_cancelled(
    process: Callable[..., subprocess.Popen[bytes]],
    settings: Settings,
    number: signal.Signals,
    code: int,
) -> None:
    running = process("run", "tests.cli.plugin:Wait", "--job-id", "stopped", cwd=ROOT)
    wait_until(lambda: "message" in types_of(settings, "stopped"))

    running.send_signal(number)
    _, err = running.communicate(timeout=30)

    assert running.returncode == code, err
    assert b"Traceback" not in err
    assert end_of(settings, "stopped") == RunStatus.CANCELLED


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["no_such_module:Count"], "there is no module 'no_such_module'"),
        (["tests.cli.no_such:Count"], "there is no module 'tests.cli.no_such'"),
        (["./tests/cli/none.py:Count"], "named as `import` does: tests.cli.none:Count"),
        (["tests.cli.plugin"], "tests.cli.plugin:Count, tests.cli.plugin:Fail"),
        (["tests.cli.plugin:BaseAction"], "has no action 'BaseAction'"),
        (["tests.cli.plugin:CountParams"], "has no action 'CountParams'"),
        (["tests.cli.plugin:Count", "--params", "{"], "is no JSON"),
        (["tests.cli.plugin:Count", "--params", "@nowhere"], "--params @nowhere: No such file"),
        (["tests.cli.plugin:Count", "--params", "[1]"], "valid dictionary"),
        (["tests.cli.plugin:Count", "--params", '{"to": "x"}'], "to='x': Input should be"),
        (["tests.cli.plugin:Count", "--params", '{"too": 2}'], "'too'; did you mean 'to'?"),
        (["tests.cli.plugin:Count", "--params", '{"epocs": 2}'], "'epocs'; it has pause, to"),
        (["tests.cli.plugin:Count", "--job-id", "a b"], "job_id='a b' is not allowed"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line_and_exit_code_2(
    command: Callable[..., Said], arguments: list[str], reason: str
) -> None:
    said = command("run", *arguments)

    assert said.code == 2
    assert said.err.startswith("synapse-stream: ")
    assert reason in said.err
    assert said.err.count("\n") == 1


def test_an_error_inside_the_module_is_shown_as_it_is(
    command: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_plugin.py").write_text("import no_such_dependency\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        command("run", "broken_plugin:Action")


def test_without_a_server_the_action_runs_and_its_events_wait(
    process: Callable[..., subprocess.Popen[bytes]],
    command: Callable[..., Said],
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    away = f"redis://127.0.0.1:{free_port()}"
    environment["SYNAPSE_STREAM_REDIS_URL"] = away
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", away)

    running = process("run", "tests.cli.plugin:Count", "--job-id", "alone", cwd=ROOT)
    _, err = running.communicate(timeout=50)
    drained = command("drain")

    assert running.returncode == 0, err
    assert str(tmp_path / "spool") in err.decode()
    assert drained.code == 1
    assert "job alone: 0 events sent" in drained.out
    assert "9 still wait" in drained.out
