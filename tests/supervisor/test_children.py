"""Programs as the supervisor sees them: their log, their end, their leash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import psutil
import pytest

from synapse_stream.log.server import EmbeddedServer
from synapse_stream.supervisor.children import Program, ServerChild
from tests.support.servers import wait_until

ROOT = Path(__file__).parents[2]
STARTER = """
import os, sys, time
from pathlib import Path
from synapse_stream.log.server import EmbeddedServer
from synapse_stream.supervisor.children import Program
program = Program("napper", ["/bin/sleep", "600"], environ={}, log=Path(sys.argv[1], "log"))
program.start()
EmbeddedServer(Path(sys.argv[1]), on_leash=True).start()
print(program.pid, flush=True)
time.sleep(600)
"""


def program(home: Path, code: str) -> Program:
    command = [sys.executable, "-c", code]
    return Program("child", command, environ=os.environ, log=home / "logs" / "child.log")


def ended(home: Path, code: str) -> Program:
    child = program(home, code)
    child.start()
    assert child.wait(30)
    return child


@pytest.mark.parametrize(
    ("code", "obituary"),
    [
        ("pass", "child ended with status 0"),
        ("print('first\\nlast'); raise SystemExit(3)", "child ended with status 3: last"),
        ("raise LookupError('gone')", "child ended with status 1: LookupError: gone"),
        (
            """print('{"level":"warning","message":"the disk is full"}')""",
            "child ended with status 0: the disk is full",
        ),
        (
            """print('{"message":"ends by an error","error":"Traceback …\\\\nOSError: no"}')""",
            "child ended with status 0: OSError: no",
        ),
        (r"print('\x1b[31mred\x1b[0m')", "child ended with status 0: red"),
        ("import os; os.kill(os.getpid(), 9)", "child was ended by SIGKILL"),
    ],
)
def test_how_a_program_ended_is_told_in_one_line(tmp_path: Path, code: str, obituary: str) -> None:
    assert ended(tmp_path, code).obituary() == obituary


def test_only_status_2_is_a_refusal_of_the_settings(tmp_path: Path) -> None:
    statuses = {status: ended(tmp_path, f"raise SystemExit({status})") for status in (0, 1, 2)}

    assert [status for status, child in statuses.items() if child.is_refusing()] == [2]


def test_a_program_is_asked_to_stop_by_sigterm_and_may_take_its_time(tmp_path: Path) -> None:
    patient = program(
        tmp_path,
        "import os, signal, time\n"
        # unlike print, os.write may be interrupted by a handler that does the same
        "signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'asked\\n'))\n"
        "os.write(1, b'ready\\n')\n"
        "while True: time.sleep(0.05)",
    )
    patient.start()
    wait_until(lambda: patient.last_words() == "ready")

    patient.ask_to_stop()

    wait_until(lambda: patient.last_words() == "asked")
    assert not patient.wait(0.01)
    patient.kill()
    assert not patient.is_running
    assert patient.obituary() == "child was ended by SIGKILL"


def test_a_long_log_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    child = ended(tmp_path, "print('x' * 1_100_000)")
    child.start()
    assert child.wait(30)

    assert child.log.stat().st_size == (tmp_path / "logs" / "child.old.log").stat().st_size


def test_children_die_with_a_starter_that_is_killed_by_sigkill(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert starter.stdout is not None
    napper = int(starter.stdout.readline())
    server = EmbeddedServer(tmp_path)
    assert server.is_running

    left = [psutil.Process(napper), psutil.Process(server_pid(tmp_path))]

    starter.kill()
    starter.communicate()

    _, alive = psutil.wait_procs(left, 30)
    for process in alive:
        process.kill()
    assert alive == []
    assert not EmbeddedServer(tmp_path).is_running
    assert "bye bye" in (tmp_path / "server" / "server.log").read_text()


def server_pid(data_dir: Path) -> int:
    return int(orjson.loads((data_dir / "server.json").read_bytes())["pid"])


def test_a_server_that_dies_is_started_again_on_its_files(tmp_path: Path) -> None:
    child = ServerChild(EmbeddedServer(tmp_path))
    child.start()
    os.kill(server_pid(tmp_path), signal.SIGKILL)
    wait_until(lambda: not child.is_running)

    child.start()

    assert child.is_running
    assert child.wait(0)
    assert not child.is_running


def test_a_server_that_somebody_else_started_stays(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        child = ServerChild(EmbeddedServer(tmp_path))
        child.start()
        child.wait(0)
        child.kill()

        assert server.is_running
