from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from synapse_stream import __version__
from synapse_stream.cli.app import app
from tests.support.chains import Chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from tests.support.commands import Said


COMMANDS: Any = get_command(app)


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def without(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(
        f"import sys; sys.modules[{package!r}] = None\n"
        f"sys.argv = ['synapse-stream', *{arguments}]\n"
        "from synapse_stream.cli import main\n"
        "main()"
    )


@pytest.mark.usefixtures("environment")
def test_without_rich_an_action_runs_in_plain_lines() -> None:
    said = without("rich", "run", "tests.cli.plugin:Count")

    assert said.returncode == 0
    assert "completed" in said.stderr
    assert "pip" not in said.stderr


def test_without_its_packages_the_command_names_what_to_install() -> None:
    said = without("typer", "--help")

    assert said.returncode == 2
    assert "pip install 'synapse-stream[cli]'" in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_fault_of_ours_is_not_mistaken_for_a_missing_package() -> None:
    said = python(
        "import sys; sys.modules['synapse_stream.cli.run'] = None\n"
        "from synapse_stream.cli import main\n"
        "main()"
    )

    assert said.returncode == 1
    assert "synapse_stream.cli.run" in said.stderr


def test_an_interrupt_while_modules_load_is_quiet() -> None:
    done = python(
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from synapse_stream.cli import main\n"
        "main()\n"
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_starting_the_command_loads_nothing_that_only_a_command_needs() -> None:
    said = python(
        "import sys\n"
        "import synapse_stream.cli.app\n"
        "print([name for name in ('redis', 'pydantic', 'rich.console', 'zstandard')"
        " if name in sys.modules])"
    )

    assert said.stdout == "[]\n", said.stderr


def test_the_version_is_shown(command: Callable[..., Said]) -> None:
    assert command("--version") == (0, f"synapse-stream {__version__}\n", "")


def test_help_names_every_command(command: Callable[..., Said]) -> None:
    said = command("--help")

    assert said.code == 0
    assert all(name in said.out for name, found in COMMANDS.commands.items() if not found.hidden)


def test_every_command_that_reads_can_answer_in_json() -> None:
    acting = {"up", "run", "exec", "import", "export", "rebuild", "replay", "trim", "archive"}
    acting |= {"release", "agent", "certify", "disclose", "erase", "report"}
    groups = {
        name: found for name, found in COMMANDS.commands.items() if hasattr(found, "commands")
    }
    reading = {name: found for name, found in COMMANDS.commands.items() if name not in groups}
    reading |= {f"parked {name}": groups["parked"].commands[name] for name in ("list", "show")}
    without = {
        name
        for name, found in reading.items()
        if not any("--json" in option.opts for option in found.params)
    }

    assert {"jobs", "show", "watch"} <= reading.keys()
    assert without <= acting


def test_an_unknown_command_is_wrong_use(command: Callable[..., Said]) -> None:
    said = command("dance")

    assert said.code == 2
    assert "dance" in said.err


@pytest.mark.parametrize("name", ["show", "events", "metrics", "verify", "replay"])
def test_an_argument_that_is_no_utf_8_is_wrong_use(
    name: str, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    running = process(name, os.fsdecode(b"a\xff\xfe"))
    _, said = running.communicate()

    assert (running.returncode, said.count(b"\n")) == (2, 1)
    assert b"is no UTF-8" in said


def test_json_is_utf_8_whatever_the_locale(environment: dict[str, str], log: EventLog) -> None:
    log.append(Chain("한국").add({"type": "message", "content": "학습 시작", "level": "info"}))
    done = subprocess.run(
        [sys.executable, "-m", "synapse_stream.cli", "events", "한국", "--json"],
        env={**environment, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )

    assert "학습 시작".encode() in done.stdout
