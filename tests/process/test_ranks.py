"""Which process of a job one is: by what it says, by its launcher, or by who is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.events.lives import Joined, RunStarted

if TYPE_CHECKING:
    from tests.support.leaving import Leaving, Left

OTHER = """
import subprocess

def other(call, **environ):
    script = f"from synapse_stream import open_run\\nctx = {call}\\nctx.log_message('other')"
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | environ, capture_output=True, text=True
    )
    print(done.stderr, file=sys.stderr)
    return done.returncode

"""


def starts(left: Left) -> list[tuple[int, int | None]]:
    return [(e.rank, e.attempt) for e in left.events if isinstance(e, RunStarted)]


def joined(left: Left) -> list[Joined]:
    return [event for event in left.events if isinstance(event, Joined)]


@pytest.mark.parametrize(
    ("call", "environ"),
    [
        ("open_run('job-1')", {}),
        ("open_run('job-1', attempt=1)", {}),
        ("open_run('job-1')", {"RANK": "0", "WORLD_SIZE": "2"}),
    ],
)
def test_beside_a_rank_0_that_lives_another_process_is_its_child(
    run: Leaving, call: str, environ: dict[str, str]
) -> None:
    left = run(
        f"""{OTHER}
with open_run("job-1") as ctx:
    assert other({call!r}, **{environ!r}) == 0
    ctx.log_message("driver")
        """
    )

    assert starts(left) == [(0, None)], left.stderr
    assert left.messages == ["other", "driver"]
    assert (left.end.status, left.end.child_count) == ("completed", 1)
    assert [event.parent for event in joined(left)] == [left.recorded[0].producer]
    (said,) = [line for line in left.stderr.splitlines() if "as a child" in line]
    assert 'attempt="new"' in said


@pytest.mark.parametrize(
    ("call", "started"),
    [
        ("open_run('job-1', attempt='new')", (0, None)),
        ("open_run('job-1', rank=0)", (0, None)),
        ("open_run('job-1', rank=0, attempt=2)", (0, 2)),
        ("open_run('job-1', rank=1)", (1, None)),
    ],
)
def test_who_names_its_rank_or_a_new_attempt_has_it(
    run: Leaving, call: str, started: tuple[int, int | None]
) -> None:
    left = run(
        f"""{OTHER}
with open_run("job-1") as ctx:
    assert other({call!r}) == 0
        """
    )

    assert starts(left) == [(0, None), started], left.stderr
    assert joined(left) == []


def test_a_rank_beside_the_first_is_known_to_it_before_it_has_sent_anything(run: Leaving) -> None:
    left = run(
        f"""{OTHER}
with open_run("job-1") as ctx:
    other("open_run('job-1', rank=1)")
        """
    )

    assert left.ends[-1].child_count == 1


def test_behind_a_run_that_has_ended_there_is_a_new_attempt(run: Leaving) -> None:
    run("open_run('job-1').end_log()")
    left = run("open_run('job-1').end_log()")

    assert starts(left) == [(0, None), (0, None)]
    assert joined(left) == []


def test_of_processes_that_start_together_one_is_rank_0(run: Leaving) -> None:
    left = run.file(
        """
        def work(start, done):
            start.wait()
            with open_run("job-1") as ctx:
                done.wait()

        if __name__ == "__main__":
            spawn = multiprocessing.get_context("fork")
            start, done = spawn.Barrier(4), spawn.Barrier(4)
            children = [spawn.Process(target=work, args=(start, done)) for _ in range(4)]
            for child in children:
                child.start()
            for child in children:
                child.join()
        """
    )

    assert starts(left) == [(0, None)], left.stderr
    assert len(joined(left)) == 3


def test_opening_a_run_again_ends_the_older_one_of_the_process(run: Leaving) -> None:
    left = run(
        """
        first = open_run("job-1")
        first.log_message("first")
        second = open_run("job-1")
        second.log_message("second")
        """
    )

    assert [(end.status, end.error) for end in left.ends] == [
        ("cancelled", "opened again"), ("completed", None),
    ]  # fmt: skip
    assert starts(left) == [(0, None), (0, None)]


def test_a_cell_that_failed_and_is_run_again_has_failed(run: Leaving) -> None:
    cell = "ctx = open_run('job-1')\nctx.log_message('cell')\n"
    left = run.run(
        ["-i", "-c", "from synapse_stream import open_run"], text=f"{cell}1 / 0\n{cell}exit()\n"
    )

    first, second = left.ends
    assert (first.status, second.status) == ("failed", "completed"), left.stderr
    assert (first.error or "").startswith("ZeroDivisionError")


def test_runs_of_other_jobs_and_ranks_stay_open(run: Leaving) -> None:
    left = run(
        """
        runs = [open_run("job-1", rank=0), open_run("job-1", rank=1), open_run("job-2")]
        for each in runs:
            each.log_message("open")
        """
    )

    assert left.messages == ["open", "open"], left.stderr
    assert [end.status for end in left.ends] == ["completed", "completed"]


def test_the_launchers_rank_is_taken(run: Leaving) -> None:
    left = run("open_run('job-1').end_log()", RANK="3", WORLD_SIZE="4")

    assert starts(left) == [(3, None)]
    assert left.end.rank == 3


@pytest.mark.parametrize("arguments", ["rank=0.0", "rank='0'", "attempt=2.0", "attempt='newest'"])
def test_what_is_no_integer_is_refused(run: Leaving, arguments: str) -> None:
    left = run(f"open_run('job-1', {arguments})")

    assert left.code == 1
    assert f"ValueError: {arguments} is not allowed" in left.stderr.splitlines()[-1]
    assert left.recorded == []
