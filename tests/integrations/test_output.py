"""What a process prints is recorded, however it ends; real processes print, and are killed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream import JobStream
from tests.support.commands import environment
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["environment"]

BEGIN = """
import sys; sys.path.remove("")
import ctypes, os, signal, subprocess, sys, threading
from synapse_stream import open_run
from synapse_stream.integrations.output import capture_output
run = open_run("job-42")
"""
EVERYTHING = """
run_console = open_run("job-43", console=True)
with capture_output(run):
    print("python")
    ctypes.CDLL(None).puts(b"c")
    subprocess.run(["sh", "-c", "echo shell"])
    for done in range(100):
        sys.stderr.write(f"\\r{done}%"); sys.stderr.flush()
    print("", file=sys.stderr)
    if os.fork() == 0:
        print("forked", flush=True)
        os._exit(0)
    os.wait()
    with capture_output():
        print("captured once")
    run_console.log_message("of our own console")
    print("behind")
print("not recorded")
run_console.end_log()
run.end_log()
"""
DYING = """
capture = capture_output()
print("first")
for number in range(2000):
    print("line", number)
print("last", flush=True)
{death}
"""
DEATHS = {
    "os._exit": "os._exit(3)",
    "abort": "os.abort()",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
}
WITHOUT_RECORDER = """
capture = capture_output()
print("recorded", flush=True)
os.kill(capture._recorder.pid, signal.SIGKILL)
for thread in threading.enumerate():
    if thread.name == "synapse-stream-output":
        thread.join(0.0 if thread is threading.current_thread() else None)
print("shown all the same", flush=True)
"""


def python(environ: dict[str, str], code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def lines(job_id: str = "job-42") -> list[tuple[str, dict[str, Any]]]:
    found: list[Any] = [recorded.event for recorded in JobStream(job_id).read()]
    return [(event.event, event.data) for event in found if event.type == "log"]


def test_all_that_is_printed_is_shown_and_recorded(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a folder where a file has the name of a module of Python's."""
    (tmp_path / "selectors.py").write_text("raise ImportError\n")
    monkeypatch.chdir(tmp_path)
    done = python(environment, EVERYTHING)

    assert done.returncode == 0, done.stderr
    shown = ["python", "c", "shell", "forked", "captured once", "behind"]
    assert done.stdout.split("\n") == [*shown, "not recorded", ""]
    out, err = {"stream": "stdout"}, {"stream": "stderr"}
    assert [line for line in lines() if line[1] == out] == [(line, out) for line in shown]
    assert [line for line in lines() if line[1] != out] == [("99%", {**err, "redrawn": 99})]
    assert "of our own console" in done.stderr
    assert "captured already" in done.stderr
    assert lines("job-43") == []
    assert [event.event.type for event in JobStream("job-42").read()][-2:] == ["end", "end"]


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
def test_it_is_recorded_however_the_process_ends(environment: dict[str, str], death: str) -> None:
    done = python(environment, DYING.format(death=death))

    assert done.returncode != 0
    printed = ["first", *(f"line {number}" for number in range(2000)), "last"]
    wait_until(lambda: ("last", {"stream": "stdout"}) in lines())
    assert done.stdout.splitlines() == printed
    assert [text for text, _ in lines()] == printed


def test_without_its_recorder_it_goes_on_as_before(environment: dict[str, str]) -> None:
    done = python(environment, WITHOUT_RECORDER)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "shown all the same"
    assert "the recorder has died" in done.stderr
