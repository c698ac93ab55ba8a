"""Processes that lack what others have: files to open, threads, an interpreter that goes on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from synapse_stream.events.types import Log
from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adoption.adopt import Adopter

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
    Adopter(run.settings, lambda: open_log(run.settings)).adopt()
    left = left._replace(recorded=run.recorded())
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
