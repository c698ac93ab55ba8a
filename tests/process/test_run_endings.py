"""However a process leaves its run, the stream says how it ended: real processes, a real server."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from synapse_stream.events.types import ProducerLost
from synapse_stream.log.event_log import open_log
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.settings import Settings
    from tests.support.leaving import Left

WITH = "with open_run('job-1') as ctx:\n    ctx.log_message('working')\n    "
WITHOUT = "ctx = open_run('job-1')\nctx.log_message('working')\n"


@pytest.mark.parametrize("opening", [WITH, WITHOUT], ids=["with", "without"])
@pytest.mark.parametrize(
    ("ending", "code", "status", "error"),
    [
        ("pass", 0, "completed", None),
        ("raise ValueError('no data')", 1, "failed", "ValueError: no data\n\nTraceback"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "cancelled", "KeyboardInterrupt"),
        ("sys.exit()", 0, "completed", None),
        ("ctx.end_log('failed', 'as I say')", 0, "failed", "as I say"),
        ("ctx.end_log('completed'); raise ValueError('late')", 1, "completed", None),
    ],
)
def test_the_end_of_the_script_is_the_end_of_the_run(
    run: Callable[..., Left], opening: str, ending: str, code: int, status: str, error: str | None
) -> None:
    left = run(opening + ending)

    assert (left.code, left.end.status) == (code, status), left.stderr
    assert (left.end.error or "")[: len(error or "")] == (error or "")
    assert (left.end.error is None) == (error is None)
    assert [event.type for event in left.events] == ["run_started", "message", "end"]
    assert left.end.count == 3


@pytest.mark.parametrize(
    ("ending", "code", "error"),
    [("sys.exit(3)", 3, "exited with status 3"), ("sys.exit('no data')", 1, "no data")],
)
def test_a_bad_exit_status_fails_the_run(
    run: Callable[..., Left], ending: str, code: int, error: str
) -> None:
    left = run(WITH + ending)

    assert (left.code, left.end.status, left.end.error) == (code, "failed", error)


@pytest.mark.parametrize("opening", [WITH, WITHOUT], ids=["with", "without"])
@pytest.mark.parametrize(
    ("number", "code", "error"),
    [
        (signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"),
        (signal.SIGTERM, 128 + signal.SIGTERM, "terminated by SIGTERM"),
    ],
)
def test_a_signal_cancels_the_run(
    run: Callable[..., Left], opening: str, number: signal.Signals, code: int, error: str
) -> None:
    left = run(opening + "wait_for_signal()", number)

    assert (left.code, left.end.status, left.end.error) == (code, "cancelled", error), left.stderr
    assert left.messages == ["working", "waiting"]


def test_sigterm_unwinds_the_plugins_own_clean_up(run: Callable[..., Left]) -> None:
    left = run(
        """
        with open_run("job-1") as ctx:
            try:
                wait_for_signal()
            finally:
                ctx.log_message("cleaned up")
        """,
        signal.SIGTERM,
    )

    assert left.messages == ["waiting", "cleaned up"]
    assert left.end.status == "cancelled"


def test_a_plugin_that_handles_sigterm_itself_is_left_alone(run: Callable[..., Left]) -> None:
    left = run(
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        with open_run("job-1") as ctx:
            wait_for_signal()
        """,
        signal.SIGTERM,
    )

    assert (left.code, left.end.error) == (7, "exited with status 7")


def test_sigterm_has_its_default_again_behind_the_run(run: Callable[..., Left]) -> None:
    left = run(
        """
        with open_run("job-1") as ctx:
            ctx.log_message("working")
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        print("ready", flush=True)
        be_interrupted()
        """,
        signal.SIGTERM,
    )

    assert (left.code, left.end.status) == (-signal.SIGTERM, "completed")


def test_a_failing_thread_does_not_fail_the_run(run: Callable[..., Left]) -> None:
    left = run(
        """
        ctx = open_run("job-1")
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        """
    )

    assert "ZeroDivisionError" in left.stderr
    assert left.end.status == "completed"


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError('only in the child')", 1),
        ("os._exit(4)", 4),
        ("ctx.end_log(); os._exit(5)", 5),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM),
    ],
)
def test_a_forked_child_does_not_end_the_run_of_its_parent(
    run: Callable[..., Left], ending: str, code: int
) -> None:
    left = run(
        f"""
        parent = os.getpid()
        with open_run("job-1") as ctx:
            child = os.fork()
            if child == 0:
                ctx.log_message("from the child")
                ctx.flush()
                {ending}
            else:
                _, status = os.waitpid(child, 0)
                ctx.log_message(f"the child ended with {{os.waitstatus_to_exitcode(status)}}")
        if os.getpid() == parent:
            ctx = None
        """
    )

    assert left.end.status == "completed", left.stderr
    assert set(left.messages) == {"from the child", f"the child ended with {code}"}
    assert "events wait" not in left.stderr
    assert len({found.producer for found in left.recorded}) == 2
    assert [event.rank for event in left.events if isinstance(event, ProducerLost)] in ([], [None])


def test_children_of_multiprocessing_leave_the_run_open(run: Callable[..., Left]) -> None:
    left = run(
        """
        def work(number):
            ctx.log_message(f"child {number}")

        with open_run("job-1") as ctx:
            children = [
                multiprocessing.get_context("fork").Process(target=work, args=(number,))
                for number in range(3)
            ]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
            ctx.log_message("parent")
        """
    )

    assert left.end.status == "completed", left.stderr
    assert sorted(left.messages) == ["child 0", "child 1", "child 2", "parent"]


def test_a_child_of_multiprocessing_is_terminated_as_without_us(run: Callable[..., Left]) -> None:
    left = run(
        """
        def work(is_ready):
            try:
                is_ready.set()
                be_interrupted()
            finally:
                print("the parent's code was unwound", file=sys.stderr)

        with open_run("job-1") as ctx:
            fork = multiprocessing.get_context("fork")
            is_ready = fork.Event()
            child = fork.Process(target=work, args=(is_ready,))
            child.start()
            is_ready.wait()
            child.terminate()
            child.join()
            ctx.log_message(str(child.exitcode))
        """
    )

    assert left.messages == [str(-signal.SIGTERM)], left.stderr
    assert "unwound" not in left.stderr
    assert left.end.status == "completed"


def test_without_a_server_the_run_starts_and_says_where_its_events_wait(
    run: Callable[..., Left], settings: Settings
) -> None:
    left = run(WITH + "pass", SYNAPSE_STREAM_REDIS_URL=f"redis://127.0.0.1:{free_port()}")

    assert left.code == 0
    assert left.recorded == []
    said = [line for line in left.stderr.splitlines() if "events wait" in line]
    assert len(said) == 2, left.stderr  # at the start, and what is left at the end
    assert all(str(settings.data_dir) in line or "/dev/shm" in line for line in said)


def test_without_a_server_a_run_that_must_not_wait_does_not_start(run: Callable[..., Left]) -> None:
    left = run(
        """
        with open_run("job-1", on_unavailable="raise") as ctx:
            print("working", file=sys.stderr)
        """,
        SYNAPSE_STREAM_REDIS_URL=f"redis://127.0.0.1:{free_port()}",
    )

    assert left.code == 1
    assert "LogUnavailable" in left.stderr.splitlines()[-1]
    assert "working" not in left.stderr.splitlines()


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"SYNAPSE_STREAM_PARTITIONS": "3"}, "partitions"),
        ({"SYNAPSE_STREAM_PARTITIONS": "none"}, "SYNAPSE_STREAM_PARTITIONS='none'"),
        ({"SYNAPSE_STREAM_REDIS_URL": "http://localhost"}, "SYNAPSE_STREAM_REDIS_URL"),
        ({"SYNAPSE_STREAM_JOB_ID": "two words"}, "job_id='two words'"),
    ],
)
def test_wrong_settings_end_the_script_before_its_work_begins(
    run: Callable[..., Left], settings: Settings, environ: dict[str, str], says: str
) -> None:
    log = open_log(settings)
    log.check()
    log.close()

    left = run(
        """
        with open_run() as ctx:
            print("working", file=sys.stderr)
        """,
        **environ,
    )

    assert left.code == 1
    assert says in left.stderr.splitlines()[-1]
    assert "working" not in left.stderr.splitlines()
