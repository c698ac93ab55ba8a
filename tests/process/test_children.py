"""Children of a run, and runs of children: however they are made, and however they leave."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream
from synapse_stream.events.lives import End, Joined, RunStarted
from tests.support.leaving import need
from tests.support.servers import free_port

if TYPE_CHECKING:
    from tests.support.leaving import Leaving, Left

METHODS = ["fork", "forkserver", "spawn"]


def joined(left: Left) -> list[Joined]:
    return [event for event in left.events if isinstance(event, Joined)]


def parts(left: Left) -> list[End]:
    """Return the ends of children."""
    return [event for event in left.events if isinstance(event, End) and event.status is None]


def opener(left: Left) -> str:
    """Return the producer that opened the run."""
    (found,) = (found.producer for found in left.recorded if isinstance(found.event, RunStarted))
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("ending", "code", "status", "error"),
    [
        ("pass", 0, "completed", ""),
        ("sys.exit(0)", 0, "completed", ""),
        ("sys.exit(3)", 3, "failed", "exited with status 3"),
        ("1 / 0", 1, "failed", ("ZeroDivisionError", "exited with status 1")),
        ("os.kill(os.getpid(), signal.SIGTERM); be_interrupted()", 143, "cancelled", "terminated"),
        ("os.kill(os.getpid(), signal.SIGINT); be_interrupted()", 1, "cancelled", "KeyboardInt"),
    ],
)
def test_a_run_of_a_child_ends_as_the_child_does(
    run: Leaving, method: str, ending: str, code: int, status: str, error: str | tuple[str, ...]
) -> None:
    left = run.file(
        f"""
        def work():
            run = open_run("job-1")
            for number in range(500):
                run.set_metrics({{"loss": number}})
            {ending}

        if __name__ == "__main__":
            child = multiprocessing.get_context({method!r}).Process(target=work)
            child.start()
            child.join()
            sys.exit(child.exitcode)
        """
    )

    assert left.code == code, left.stderr
    assert left.types.count("metrics") == 500
    assert left.end.status == status, left.end.error
    assert (left.end.error or "").startswith(error)


def test_of_forked_children_the_stream_tells_whose_they_are(run: Leaving) -> None:
    left = run(
        """
        def work(number):
            ctx.log_message(f"child {number}")

        with open_run("job-1") as ctx:
            fork = multiprocessing.get_context("fork")
            children = [fork.Process(target=work, args=(number,)) for number in range(3)]
            for child in children:
                child.start()
            for child in children:
                child.join()
        """
    )

    assert [event.parent for event in joined(left)] == [opener(left)] * 3
    assert len(parts(left)) == 3
    assert left.end.child_count == 3
    assert left.end.children is not None
    assert {child.producer for child in left.end.children} == {
        found.producer for found in left.recorded
    } - {opener(left)}
    assert {child.pid for child in left.end.children} == {event.pid for event in joined(left)}


def test_a_grandchild_belongs_to_the_run_as_well(run: Leaving) -> None:
    left = run(
        """
        with open_run("job-1") as ctx:
            child = os.fork()
            if child == 0:
                ctx.log_message("child")
                grandchild = os.fork()
                if grandchild == 0:
                    ctx.log_message("grandchild")
                    sys.exit(0)
                os.waitpid(grandchild, 0)
                sys.exit(0)
            os.waitpid(child, 0)
        """
    )

    assert sorted(left.messages) == ["child", "grandchild"], left.stderr
    assert [event.parent for event in joined(left)] == [opener(left)] * 2
    assert left.end.child_count == 2


def test_a_child_that_reports_nothing_is_none_of_the_run(run: Leaving) -> None:
    left = run(
        """
        with open_run("job-1") as ctx:
            if os.fork() == 0:
                sys.exit(0)
            os.wait()
        """
    )

    assert left.types == ["run_started", "end"], left.stderr
    assert left.end.child_count is None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pool", ["Pool", "ProcessPoolExecutor"])
def test_a_context_can_be_given_to_workers(run: Leaving, method: str, pool: str) -> None:
    open_pool = {
        "Pool": f"multiprocessing.get_context({method!r}).Pool(2)",
        "ProcessPoolExecutor": f"ProcessPoolExecutor(2, multiprocessing.get_context({method!r}))",
    }[pool]
    left = run.file(
        f"""
        from concurrent.futures import ProcessPoolExecutor

        def work(job):
            ctx, number = job
            ctx.log_message(f"task {{number}}")
            ctx.flush()
            return ctx.job_id, ctx.env.storage, ctx.client, ctx.checkpoint

        if __name__ == "__main__":
            env = {{"storage": "/data", "hook": lambda: 0}}
            given = {{"env": env, "client": threading.Lock(), "checkpoint": {{"path": "x"}}}}
            with open_run("job-1", **given) as ctx:
                with {open_pool} as workers:
                    found = set(map(str, workers.map(work, [(ctx, n) for n in range(20)])))
                ctx.log_message("parent")
            assert found == {{"('job-1', '/data', None, {{'path': 'x'}})"}}, found
        """
    )

    assert left.code == 0, left.stderr
    assert sorted(left.messages) == sorted(["parent", *(f"task {n}" for n in range(20))])
    assert left.end.status == "completed"
    assert 1 <= len(joined(left)) <= 2  # all tasks of a worker are one child
    assert {event.parent for event in joined(left)} == {opener(left)}
    said = [line for line in left.stderr.splitlines() if "cannot be pickled" in line]
    assert any("client" in line for line in said)
    assert any("hook" in line for line in said)


def test_workers_of_joblib_report_by_a_closure(run: Leaving) -> None:
    need("joblib")
    left = run(
        """
        from joblib import Parallel, delayed
        with open_run("job-1") as ctx:
            with Parallel(n_jobs=2) as parallel:
                parallel(delayed(lambda n: ctx.log_message(f"task {n}"))(n) for n in range(10))
        """
    )

    assert left.code == 0, left.stderr
    assert sorted(left.messages) == [f"task {number}" for number in range(10)]
    assert {event.parent for event in joined(left)} == {opener(left)}


def test_a_copy_in_the_same_process_is_the_original(run: Leaving) -> None:
    left = run(
        """
        import copy, pickle
        from synapse_stream import ConsoleLogger, NullLogger
        with open_run("job-1", console=True) as ctx:
            for original in (ctx, ctx.logger, NullLogger(), ConsoleLogger("x")):
                assert pickle.loads(pickle.dumps(original)) is original
                assert copy.copy(original) is original
                assert copy.deepcopy({"a": [original]})["a"][0] is original
        """
    )

    assert left.code == 0, left.stderr
    assert left.types == ["run_started", "end"]


def test_a_worker_that_is_a_child_does_not_end_the_run(run: Leaving) -> None:
    left = run.file(
        """
        def work(ctx):
            with ctx:
                ctx.log_message("in the child")
                ctx.end_log("failed", "only here")

        if __name__ == "__main__":
            with open_run("job-1") as ctx:
                child = multiprocessing.get_context("spawn").Process(target=work, args=(ctx,))
                child.start()
                child.join()
                ctx.log_message("parent")
        """
    )

    assert left.messages == ["in the child", "parent"], left.stderr
    assert left.end.status == "completed"
    assert [end.error for end in parts(left)] == ["only here"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of threads are those of Linux")
def test_an_end_leaves_no_thread_and_no_descriptor(run: Leaving) -> None:
    left = run(
        """
        def held():
            return sorted(os.listdir("/proc/self/fd"))

        open_run("job-0").end_log()
        before = held()
        for number in range(5):
            open_run(f"job-{number}").end_log()
        deadline = time.monotonic() + 30
        while threading.active_count() > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() == 1, threading.enumerate()
        assert len(held()) <= len(before), (before, held())
        """
    )

    assert left.code == 0, left.stderr


MANY = """
def work(number):
    for value in range(500):
        ctx.set_metrics({"loss": value}, step=f"w{number}")

"""
KILLED = [
    "with multiprocessing.get_context('fork').Pool(2) as pool: pool.map(work, range(4), 1)",
    "for number in range(4):\n        if os.fork() == 0:\n            work(number); os._exit(0)\n"
    "        os.wait()",
    "for number in range(4):\n        if os.fork() == 0:\n            work(number); "
    "os.kill(os.getpid(), 9)\n        os.wait()",
    "for number in range(4):\n        if os.fork() == 0:\n            work(number); "
    "os.execv('/bin/true', ['true'])\n        os.wait()",
]


@pytest.mark.parametrize("killing", KILLED, ids=["terminated", "_exit", "SIGKILL", "exec"])
def test_the_end_of_a_run_sends_what_its_dead_children_left(run: Leaving, killing: str) -> None:
    left = run(f'{MANY}with open_run("job-1") as ctx:\n    {killing}')

    assert left.types.count("metrics") == 2_000, left.stderr
    assert left.end.child_count == len(joined(left)) > 0
    seals = [e for e in left.events if e.type in {"producer_lost", "end"}]
    assert len(seals) == 1 + len(joined(left))
    state = JobStream("job-1", run.settings).state(at=left.recorded[-1].position)
    assert state is not None
    (attempt,) = state.attempts
    assert (attempt.status, attempt.completeness.status) == ("completed", "complete")


def test_a_run_without_a_server_does_not_wait_for_its_children(run: Leaving) -> None:
    left = run(
        MANY
        + """
ctx = open_run("job-1")
if os.fork() == 0:
    work(1); os._exit(0)
os.wait()
before = time.monotonic()
ctx.end_log()
assert time.monotonic() - before < 10
""",
        SYNAPSE_STREAM_REDIS_URL=f"redis://127.0.0.1:{free_port()}",
        SYNAPSE_STREAM_CONNECT_SECONDS="0.5",
    )

    assert left.code == 0, left.stderr
