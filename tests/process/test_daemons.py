"""A process that goes on in the background takes its run along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream
from synapse_stream.events.lives import Joined, Resumed, RunStarted

if TYPE_CHECKING:
    from tests.support.leaving import Leaving, Left

DAEMONIZE = """
def into_background(times=2):
    for turn in range(times):
        if os.fork():
            os._exit(0)
        if turn == 0:
            os.setsid()

"""


def status(run: Leaving, left: Left) -> tuple[str, str]:
    state = JobStream("job-1", run.settings).state(at=left.recorded[-1].position)
    assert state is not None
    (attempt,) = state.attempts
    return attempt.status, attempt.completeness.status


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("ending", ["pass", "ctx.end_log()", "sys.exit(3)"])
def test_the_run_of_a_daemon_is_that_of_the_process_that_opened_it(
    run: Leaving, times: int, ending: str
) -> None:
    left = run(
        f"""{DAEMONIZE}
ctx = open_run("job-1")
ctx.log_message("before")
into_background({times})
ctx.log_message("behind")
{ending}
        """
    )

    (opened,) = (found for found in left.recorded if isinstance(found.event, RunStarted))
    (resumed,) = (event for event in left.events if isinstance(event, Resumed))
    assert (resumed.producer, resumed.last, resumed.rank) == (opened.producer, 1, 0)
    assert left.messages[-1:] == ["behind"] or left.messages == ["behind", "before"], left.stderr
    expected = "failed" if "exit" in ending else "completed"
    assert left.end.status == expected
    assert status(run, left)[0] == expected


def test_a_daemon_whose_opener_lives_is_a_child_of_it(run: Leaving) -> None:
    left = run(
        """
        ctx = open_run("job-1")
        if os.fork() == 0:
            os.setsid()
            ctx.log_message("aside")
            sys.exit(0)
        os.wait()
        """
    )

    assert [event.type for event in left.events if isinstance(event, (Joined, Resumed))] == [
        "joined"
    ]
    assert status(run, left) == ("completed", "complete")


def test_a_child_that_outlives_its_killed_parent_does_not_take_the_run(run: Leaving) -> None:
    left = run(
        """
        ctx = open_run("job-1")
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(writing)
            os.read(reading, 1)
            ctx.log_message("orphan")
            sys.exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )

    assert not any(isinstance(event, Resumed) for event in left.events)
    assert left.messages == ["orphan"]
