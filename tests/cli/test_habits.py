"""What people who know other tools try first, at the width that terminals have."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chains import Chain
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

COLUMNS = 80
HEADER = ["ACTION", "STARTED", "TOOK", "EVENTS", "TROUBLE"]
JOB = "training-of-a-larger-model-2026-11-30"
ERROR = "ValueError: the shapes (3, 4) and (5, 6) of the batch do not fit each other, nor the model"
TRACEBACK = f'{ERROR}\nTraceback (most recent call last):\n  File "train.py", line 3, in fit\n'
NOW_US = round(datetime.now(UTC).timestamp() * 1e6)
HOUR_US = 3_600_000_000


@pytest.fixture
def failed(log: EventLog, settings: Settings) -> None:
    """Have a run with long names, one metric of many digits, and a traceback."""

    def said(text: str, ago_us: int) -> dict[str, Any]:
        return {"type": "message", "content": text, "level": "info", "time": NOW_US - ago_us}

    log.append(
        Chain(JOB).add(
            {"type": "run_started", "rank": 0, "action": "train-a-larger-model", "time": NOW_US},
            {"type": "metrics", "values": {"validation/loss": 0.00123456}, "step": "validation"},
            said("old", 2 * HOUR_US),
            said("new", 60_000_000),
            said("newest", 1_000_000),
            {"type": "end", "status": "failed", "rank": 0, "error": TRACEBACK},
        )
    )
    project(settings)


@pytest.fixture
def terminal(environment: dict[str, str]) -> Callable[..., list[str]]:
    """Return a function that runs the command on a terminal of 80 columns."""

    def run(*arguments: str) -> list[str]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        names = {name: value for name, value in environment.items() if name != "COLUMNS"}
        started = subprocess.Popen(
            [sys.executable, "-m", "synapse_stream.cli", *arguments],
            env={**names, "NO_COLOR": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        out = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the last one who had it open has ended
                break
            if not piece:
                break
            out += piece
        os.close(ours)
        started.wait()
        return out.decode().splitlines()

    return run


@pytest.mark.usefixtures("failed")
def test_a_table_fits_the_terminal_and_cuts_no_value(terminal: Callable[..., list[str]]) -> None:
    listed, series = terminal("jobs"), terminal("metrics", JOB)

    assert listed[0].split()[:2] == ["JOB", "STATUS"]
    assert listed[1].split()[:2] == [JOB, "failed"]
    assert listed[2].strip().startswith(ERROR)
    assert [len(line) <= COLUMNS for line in listed[:2]] == [True, True]
    assert listed[-1].startswith("not shown here: ")
    assert listed[-1].endswith("; --wide shows all")
    assert max(map(len, series)) <= COLUMNS
    assert "0.00123456" in series[1]


@pytest.mark.usefixtures("failed")
def test_a_wide_table_has_all_columns(terminal: Callable[..., list[str]]) -> None:
    (header, row, *rest) = terminal("jobs", "--wide")

    assert header.split() == [
        "JOB",
        "STATUS",
        "HEALTH",
        "DONE",
        "ACTION",
        "STARTED",
        "TOOK",
        "EVENTS",
        "TROUBLE",
    ]
    assert (row.endswith(ERROR), rest) == (True, [])


@pytest.mark.usefixtures("failed")
def test_show_has_the_traceback(command: Callable[..., Said]) -> None:
    lines = command("show", JOB).lines

    assert next(line for line in lines if line.startswith("error")).split(None, 1)[1] == ERROR
    assert "  Traceback (most recent call last):" in lines
    assert '    File "train.py", line 3, in fit' in lines


@pytest.mark.usefixtures("failed")
def test_names_that_people_try_are_there(command: Callable[..., Said]) -> None:
    assert command("ls").out == command("jobs").out
    assert command("logs", JOB).out == command("messages", JOB).out
    assert command("jobs", "-h").out == command("jobs", "--help").out
    assert "logs" not in command("-h").out


@pytest.mark.usefixtures("failed")
def test_messages_from_the_end_or_since_a_time(command: Callable[..., Said]) -> None:
    def said(*options: str) -> list[str]:
        return [line.split()[-1] for line in command("messages", JOB, *options).lines]

    assert said("--tail", "2") == ["new", "newest"]
    assert said("-n", "9") == ["old", "new", "newest"]
    assert said("--since", "-30m") == ["new", "newest"]
    local = datetime.now().astimezone() - timedelta(minutes=30)
    assert said("--since", f"{local:%Y-%m-%d %H:%M:%S}") == ["new", "newest"]
    assert said("--since", "-3h", "--tail", "1") == ["newest"]
    none = command("messages", JOB, "--since", "-10s", "--level", "danger")
    assert (none.code, none.err) == (1, f"synapse-stream: job '{JOB}' has no such messages\n")


@pytest.mark.parametrize("text", ["yesterday", "-10x", "2026-13-01 00:00", "-99999999d5"])
def test_a_time_that_is_none_is_wrong_use(command: Callable[..., Said], text: str) -> None:
    said = command("messages", JOB, "--since", text)

    assert said.code == 2
    assert said.err.startswith(f"synapse-stream: --since {text!r} is neither a position nor a time")


@pytest.mark.usefixtures("failed")
def test_a_mistyped_job_is_asked_after(command: Callable[..., Said]) -> None:
    typo = JOB.replace("larger", "lagrer")
    for name in ("show", "messages", "metrics"):
        said = command(name, typo)
        assert said.code == 1
        assert f"; did you mean '{JOB}'?" in said.err
    assert "did you mean" not in command("show", "quite-another").err


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("name", ["jobs", "show", "messages", "metrics", "events"])
def test_a_pipe_that_is_closed_is_left_quietly(environment: dict[str, str], name: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    printing = subprocess.Popen(
        [sys.executable, "-m", "synapse_stream.cli", name, *([] if name == "jobs" else [JOB])],
        env=environment,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    _, err = printing.communicate()

    assert err == b""
    assert printing.returncode in {1, 141}
