"""Processes that lack what others have: files to open, threads, an interpreter that goes on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream
from synapse_stream.events.types import Log
from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adoption.adopt import Adopter, Mandate
from tests.support.servers import free_port

if TYPE_CHECKING:
    from tests.support.leaving import Leaving, Left

WITHOUT_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
"""
NONE_SET_ASIDE = f"""
from synapse_stream.system.descriptors import SET_ASIDE
for number in SET_ASIDE._held:
    os.close(number)
{WITHOUT_FILES}
"""
REPORT = """
for number in range({}, {}):
    ctx.log("long", {{"number": number, "text": "y" * 1000}})
"""
LATE = """
def work():
    with open_run("job-1") as ctx:
        for number in range(50):
            ctx.log("late", {"number": number})
"""


def reports(left: Left) -> list[object]:
    return [event.data["number"] for event in left.events if isinstance(event, Log)]


def test_what_is_reported_without_a_file_to_open_is_recorded_as_it_is(run: Leaving) -> None:
    left = run(
        f"""
ctx = open_run("job-1")
{WITHOUT_FILES}
for number in range(50):
    ctx.log("long", {{"number": number, "text": "y" * 40}})
ctx.log_message("password=hunter22222")
ctx.end_log()
"""
    )
    assert reports(left) == list(range(50)), left.stderr
    assert left.messages == ["password=***"]
    assert left.end.status == "completed"


def adopted(run: Leaving, left: Left) -> Left:
    """Have somebody else send what a process has left."""
    adopter = Adopter(run.settings, lambda: open_log(run.settings))
    adopter.adopt()
    adopter.release()
    return left._replace(recorded=run.recorded())


def test_without_a_file_to_open_a_run_is_opened_rolls_forks_and_dies_as_ever(run: Leaving) -> None:
    """A few descriptors are set aside for that; the server takes nothing, so all is in spools."""
    left = run(
        f"""
{WITHOUT_FILES}
ctx = open_run("job-1")
{REPORT.format(0, 1000)}
if os.fork() == 0:
    ctx.log("long", {{"number": 1000}})
    os._exit(0)
os.wait()
{REPORT.format(1001, 2000)}
os.kill(os.getpid(), 9)
""",
        SYNAPSE_STREAM_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
        SYNAPSE_STREAM_CONNECT_SECONDS="0.2",
    )
    assert left.code == -9, left.stderr
    assert "open files" not in left.stderr
    mandate = Mandate(is_explicit=True)
    Adopter(run.settings, lambda: open_log(run.settings), mandate).adopt()
    left = left._replace(recorded=run.recorded())
    assert sorted(map(str, reports(left))) == sorted(map(str, range(2000)))
    assert left.types.count("producer_lost") == 2
    assert "loss" not in left.types


def test_with_none_set_aside_either_a_run_starts_in_memory_and_moves_when_it_can(
    run: Leaving,
) -> None:
    left = run(
        f"""
open_run("job-0").end_log()
while threading.active_count() > 1:
    time.sleep(0.01)
{NONE_SET_ASIDE}
ctx = open_run("job-1")
{REPORT.format(0, 500)}
print("said", flush=True, file=sys.stderr)
for number in held:
    os.close(number)
while not any(os.path.isdir(f"{{root}}/{{ctx.logger._producer.id}}") for root, *_ in os.walk(
    os.environ["SYNAPSE_STREAM_MEMORY_DIR"])):
    time.sleep(0.05)
while ctx.logger._producer._spool.mortal:
    time.sleep(0.05)
{REPORT.format(500, 1000)}
os.kill(os.getpid(), 9)
""",
    )
    assert left.code == -9, left.stderr
    before, _, behind = left.stderr.partition("said\n")
    no_file, no_server = before.splitlines()
    assert "no file can be opened" in no_file
    assert "ulimit -n" in no_file
    assert "until the server takes them" in no_server
    assert sum("the events are in" in line for line in behind.splitlines()) == 1, behind
    left = adopted(run, left)
    assert reports(left) == list(range(1000))
    assert left.types[-1] == "producer_lost"
    assert "loss" not in left.types


def test_a_child_that_can_open_nothing_is_known_to_its_run(run: Leaving) -> None:
    """What it reports is in its memory only, and ends with it."""
    left = run(
        f"""
ctx = open_run("job-1")
{NONE_SET_ASIDE}
if os.fork() == 0:
    held += [os.open("/dev/null", 0) for _ in range(2)]  # in the place of the parent's locks
    ctx.log("long", {{"number": 0}})
    os._exit(0)
os.wait()
for number in held:
    os.close(number)
ctx.end_log()
"""
    )
    assert left.code == 0, left.stderr
    assert left.end.child_count == 1
    state = JobStream("job-1", run.settings).state(at=left.recorded[-1].position)
    assert state is not None
    (attempt,) = state.attempts
    known = attempt.completeness
    assert (known.status, known.waiting_count) == ("open", 1) or reports(left) == [0]


def test_where_nothing_may_ever_be_opened_the_plugin_runs_on(run: Leaving) -> None:
    left = run(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 4096))
        with open_run("job-1", params={"lr": 1}, labels={"a": 1}, console=True) as ctx:
            ctx.log_message("unheard")
        print("done", flush=True)
        """
    )
    assert (left.code, left.stdout) == (0, "done\n"), left.stderr
    assert left.recorded == []
    assert "nothing of this run is recorded" in left.stderr
    assert "Traceback" not in left.stderr


@pytest.mark.parametrize(
    "way",
    ["import atexit; atexit.register(work)", "threading.Thread(target=wait_and_work).start()"],
)
def test_a_run_that_is_opened_when_the_interpreter_shuts_down_is_in_the_spool(
    run: Leaving, way: str
) -> None:
    left = run(
        f"""
{LATE}
def wait_and_work():
    threading.main_thread().join()
    work()

{way}
"""
    )
    assert left.code == 0, left.stderr
    assert "Traceback" not in left.stderr
    left = adopted(run, left)
    assert reports(left) == list(range(50))
    assert left.end.status == "completed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_becomes_another_user_goes_on_and_ends_the_run(run: Leaving) -> None:
    left = run(
        """
        ctx = open_run("job-1")
        ctx.log("before", {"number": 0})
        os.setgid(12347)
        os.setuid(12347)
        for number in range(1, 5000):
            ctx.log("after", {"number": number, "text": "y " * 40})
        ctx.end_log()
        """
    )
    assert left.code == 0
    assert "Traceback" not in left.stderr
    assert reports(left) == list(range(5000))
    assert left.end.status == "completed"
