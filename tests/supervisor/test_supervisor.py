"""The loop: what dies comes back, nothing storms, all stop in order."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from synapse_stream.errors import ConfigError
from synapse_stream.supervisor.children import Program
from synapse_stream.supervisor.supervisor import Supervisor, next_pause
from tests.support.servers import wait_until

DIARY = """
import os, signal, sys, time
name, obeys = sys.argv[1:]
diary = os.open("diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def write(what):  # unlike print, it may be interrupted by a handler that does the same
    os.write(diary, f"{name} {what}\\n".encode())
def leave(*_):
    write("asked")
    if obeys == "obeys":
        write("left")
        sys.exit()
signal.signal(signal.SIGTERM, leave)
write("came")
while True:
    time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def in_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def program(name: str, *command: str) -> Program:
    return Program(name, command, environ=os.environ, log=Path("logs", f"{name}.log"))


def diarist(name: str, *, obeys: bool = True) -> Program:
    return program(name, sys.executable, "-c", DIARY, name, "obeys" if obeys else "stays")


def diary() -> list[str]:
    return Path("diary").read_text().splitlines() if Path("diary").exists() else []


def stop(supervisor: Supervisor, *, hurried: bool = False) -> None:
    hurry = threading.Event()
    if hurried:
        hurry.set()
    supervisor.stop(hurry)


def test_stages_stop_in_the_reverse_of_their_order() -> None:
    supervisor = Supervisor([[diarist("first")], [diarist("last")]], lambda _: None)
    supervisor.start()
    wait_until(lambda: len(diary()) == 2)

    stop(supervisor)

    assert diary()[2:] == ["last asked", "last left", "first asked", "first left"]


def test_a_hurry_kills_what_would_take_its_time() -> None:
    said: list[str] = []
    stubborn = diarist("stubborn", obeys=False)
    supervisor = Supervisor([[stubborn]], said.append)
    supervisor.start()
    wait_until(lambda: diary() == ["stubborn came"])

    stop(supervisor, hurried=True)

    assert not stubborn.is_running
    assert said == ["stubborn does not end in time and is killed"]


def test_a_child_that_is_killed_comes_back_and_one_line_says_so() -> None:
    said: list[str] = []
    child, other = diarist("child"), diarist("other")
    supervisor = Supervisor([[child, other]], said.append)
    supervisor.start()
    wait_until(lambda: len(diary()) == 2)
    stays = other.pid

    child.kill()
    supervisor.run(threading.Event(), until=lambda: diary().count("child came") == 2)

    assert child.is_running
    assert other.pid == stays
    assert said == ["child was ended by SIGKILL; starts again in 0.2 s"]
    stop(supervisor)


def test_a_child_that_cannot_stay_is_started_less_and_less_often() -> None:
    said: list[str] = []
    supervisor = Supervisor([[program("short", "/bin/false")]], said.append)
    supervisor.start()

    supervisor.run(threading.Event(), until=lambda: len(said) == 4)

    pauses = [line.rpartition(" in ")[2] for line in said]
    assert pauses == ["0.2 s", "0.4 s", "0.8 s", "1.6 s"]
    assert said[0].startswith("short ended with status 1")
    stop(supervisor)


def test_the_pause_has_a_limit_and_a_child_that_lived_long_begins_anew() -> None:
    assert next_pause(0.0, 1) == 0.2
    assert next_pause(0.2, 1) == 0.4
    assert next_pause(20.0, 1) == next_pause(30.0, 1) == 30
    assert next_pause(30.0, 61) == 0.2


def test_a_child_that_refuses_its_settings_ends_the_supervision_with_its_reason() -> None:
    refusing = program("api", "/bin/sh", "-c", "echo 'PORT=x is no number'; exit 2")
    supervisor = Supervisor([[diarist("other")], [refusing]], lambda _: None)
    supervisor.start()

    with pytest.raises(ConfigError, match="api ended with status 2: PORT=x is no number"):
        supervisor.run(threading.Event())

    stop(supervisor)


def test_a_program_that_is_gone_is_tried_again() -> None:
    said: list[str] = []
    path = Path("logs")
    child = program("child", "/bin/false")
    supervisor = Supervisor([[child]], said.append)
    supervisor.start()
    assert child.wait(30)
    (path / "child.log").unlink()
    path.rmdir()
    path.touch()  # no log can be made there

    supervisor.run(threading.Event(), until=lambda: len(said) == 2)
    path.unlink()
    supervisor.run(threading.Event(), until=lambda: len(said) == 3)

    assert "child does not start: " in said[1]
    assert said[2] == "child ended with status 1; starts again in 0.8 s"
