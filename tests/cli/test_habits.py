"""What people who know other tools try first, at the width that terminals have."""

from __future__ import annotations

import fcntl
import os
import pty
import re
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
    from pathlib import Path

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
    assert ERROR.startswith(listed[2].strip())
    assert [len(line) <= COLUMNS for line in listed[:2]] == [True, True]
    assert listed[-1].startswith("not shown here: ")
    assert listed[-1].endswith("; --wide shows all")
    assert max(map(len, series)) <= COLUMNS
    assert "0.00123456" in series[1]


@pytest.mark.usefixtures("failed")
def test_text_goes_on_below_itself(terminal: Callable[..., list[str]]) -> None:
    lines = terminal("show", JOB)

    (first,) = [n for n, line in enumerate(lines) if line.startswith("error ")]
    assert max(map(len, lines[: first + 2])) <= COLUMNS
    assert lines[first + 1].startswith(" " * 11)
    assert f"{lines[first][11:]} {lines[first + 1][11:]}" == ERROR
    below = [line for line in terminal("jobs") if line.startswith("    ")]
    assert max(map(len, below)) <= COLUMNS
    assert " ".join(line.strip() for line in below) == ERROR


@pytest.mark.usefixtures("failed")
def test_runs_that_do_not_fit_side_by_side_stand_below_each_other(
    terminal: Callable[..., list[str]], log: EventLog, settings: Settings
) -> None:
    other = "another-of-a-larger-model-2026-11-30"
    log.append(Chain(other).add({"type": "run_started", "rank": 0, "action": "fit"}))
    project(settings)

    lines = terminal("compare", JOB, other)

    at = lines.index("run action")
    assert lines[at + 1].split() == [JOB, "train-a-larger-model"]
    assert lines[at + 2].split() == [other, "fit"]
    assert max(map(len, lines)) <= COLUMNS


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
    assert sum(ERROR in line for line in lines) == 1
    assert "  Traceback (most recent call last):" in lines
    assert '    File "train.py", line 3, in fit' in lines


@pytest.mark.usefixtures("failed")
def test_names_that_people_try_are_there(command: Callable[..., Said]) -> None:
    assert command("ls").out == command("jobs").out
    assert command("logs", JOB).out == command("messages", JOB).out
    assert command("jobs", "-h").out == command("jobs", "--help").out
    assert not re.search(r"^\W*logs ", command("-h").out, re.MULTILINE)


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
def test_a_mistyped_job_is_asked_after(command: Callable[..., Said], tmp_path: Path) -> None:
    typo = JOB.replace("larger", "lagrer")
    copy = ("-o", str(tmp_path / "copy.csv"))
    for name, *more in (
        *(["show"], ["messages"], ["metrics"], ["events"], ["replay"], ["verify"]),
        *(["export", *copy], ["compare", JOB]),
    ):
        said = command(name, *more, typo)
        assert said.code == 1
        assert f"; did you mean '{JOB}'?" in said.err
    assert "did you mean" not in command("show", "quite-another").err
    assert "did you mean duration?" in command("jobs", "--sort", "durration").err


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("name", ["jobs", "show", "messages", "metrics", "events", "replay"])
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


@pytest.mark.usefixtures("failed")
def test_a_part_is_replayed_by_times_as_they_are_printed(command: Callable[..., Said]) -> None:
    local = datetime.fromtimestamp(NOW_US / 1e6 - 1800).astimezone()
    shown = command("replay", JOB, "--speed", "max", "--from", f"{local:%Y-%m-%d %H:%M:%S}").out
    before = command("replay", JOB, "--speed", "max", "--until", "-30m").out

    assert ("newest" in shown, " old" in shown) == (True, True)  # in the order of the stream
    assert (" old" in before, "newest" in before) == (True, False)
    assert command("replay", JOB, "--from", "2999-01-01 00:00").code == 1


def test_the_rank_is_shown_where_it_comes_from(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")
    lines = command("doctor", "--print-config").lines

    assert ("RANK=3" in lines, "WORLD_SIZE=" in lines) == (True, True)


def test_an_ending_that_says_no_format_is_wrong_use(command: Callable[..., Said]) -> None:
    said = command("export", JOB, "-o", "run.gz")

    assert said.code == 2
    assert "-o run.gz: .gz says no format; expected .jsonl, " in said.err


NOT_OF_CLI = ("alembic", "cryptography", "fastapi", "numpy", "psycopg", "sqlalchemy", "uvicorn")
WITH_CLI_ONLY = f"""
import sys
sys.modules.update(dict.fromkeys({NOT_OF_CLI}))
from synapse_stream.cli import main
main()
"""


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["events", JOB], 0),
        (["replay", JOB, "--speed", "max"], 0),
        (["export", JOB, "-o", "-", "--format", "csv"], 0),
        (["drain"], 0),
        (["token", JOB], 0),
        (["exec", "--", "true"], 0),
        (["jobs"], 2),
    ],
)
def test_what_the_extra_cli_is_enough_for(
    environment: dict[str, str], arguments: list[str], code: int
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITH_CLI_ONLY, *arguments],
        env={**environment, "SYNAPSE_STREAM_TOKEN_SECRET": "s" * 40},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == code, said.stderr
    if code:
        assert "pip install 'synapse-stream[consumers]' brings it" in said.stderr
        assert "set SYNAPSE_STREAM_URL" in said.stderr
