"""SIGTERM, SIGHUP and Ctrl-C: told at once whatever the process does, and then its own affair."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from synapse_stream.events.lives import Terminating
from tests.support.leaving import HEAD

if TYPE_CHECKING:
    from tests.support.leaving import Leaving

SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]

# C code that gives the interpreter to other threads, and no signal handler a chance. A thread tells
# that the main one is in it: it stays where it is.
IN_C_CODE = """
import hashlib

def tell(main=threading.main_thread().ident):
    seen = None
    while (at := sys._current_frames()[main]).f_lineno != line or at.f_lasti != seen:
        seen = at.f_lasti
        time.sleep(0.1)
    print("ready", flush=True)

ctx = open_run("job-1")
line = sys._getframe().f_lineno + 2
threading.Thread(target=tell, daemon=True).start()
hashlib.pbkdf2_hmac("sha256", b"x", b"y", 500_000_000)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_told_while_the_main_thread_is_in_c_code(
    run: Leaving, number: signal.Signals
) -> None:
    with run.start(["-c", HEAD + IN_C_CODE]) as process:
        try:
            run.await_ready(process)
            process.send_signal(number)
            told = run.await_recorded("terminating")
            assert process.poll() is None
        finally:
            process.kill()

    assert isinstance(told, Terminating)
    assert told.signal == number.name


def test_the_second_sigterm_ends_a_process_that_is_in_c_code(run: Leaving) -> None:
    with run.start(["-c", HEAD + IN_C_CODE]) as process:
        try:
            run.await_ready(process)
            process.send_signal(signal.SIGTERM)
            run.await_recorded("terminating")
            while process.poll() is None:  # the first one's action is replaced behind its event
                process.send_signal(signal.SIGTERM)
                time.sleep(0.1)
        finally:
            process.kill()

    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    "waiting",
    [
        "os.read(os.pipe()[0], 1)",
        "lock = threading.Lock(); lock.acquire(); lock.acquire()",
        "import subprocess; subprocess.run(['sleep', '30'], stdout=-3, stderr=-3)",
        "import select; select.select([], [], [])",
        "import asyncio; asyncio.run(asyncio.sleep(100))",
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whatever_the_main_thread_waits_for_is_cut_short(
    run: Leaving, waiting: str, number: signal.Signals
) -> None:
    left = run(
        f"""
        ctx = open_run("job-1")
        print("ready", flush=True)
        {waiting}
        """,
        number,
    )

    assert left.code == 128 + number, left.stderr
    assert (left.end.status, left.end.error) == ("cancelled", f"terminated by {number.name}")
    assert [kind for kind in left.types if kind != "terminating"] == ["run_started", "end"]


def test_a_run_that_swallows_the_signal_and_does_its_work_has_completed(run: Leaving) -> None:
    left = run(
        """
        ctx = open_run("job-1")
        try:
            wait_for_signal()
        except:
            pass
        ctx.log_message("went on")
        """,
        signal.SIGTERM,
    )

    assert (left.code, left.end.status, left.end.signal) == (0, "completed", "SIGTERM")
    assert left.messages == ["waiting", "went on"]


def test_the_second_sigterm_ends_a_run_that_swallowed_the_first(run: Leaving) -> None:
    left = run(
        """
        ctx = open_run("job-1")
        try:
            wait_for_signal()
        except:
            os.kill(os.getpid(), signal.SIGTERM)
            be_interrupted()
        """,
        signal.SIGTERM,
    )

    assert left.code == -signal.SIGTERM
    assert left.ends == []


def test_a_sighup_behind_a_sigterm_does_not_cut_the_clean_up_short(run: Leaving) -> None:
    left = run(
        """
        with open_run("job-1") as ctx:
            try:
                wait_for_signal()
            finally:
                os.kill(os.getpid(), signal.SIGHUP)
                ctx.log_message("cleaned up")
        """,
        signal.SIGTERM,
    )

    assert left.messages == ["waiting", "cleaned up"]
    assert (left.code, left.end.error) == (143, "terminated by SIGTERM")


def test_sighup_that_is_ignored_stays_so(run: Leaving) -> None:
    left = run(
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with open_run("job-1") as ctx:
            os.kill(os.getpid(), signal.SIGHUP)
            ctx.log_message("went on")
        """
    )

    assert (left.code, left.messages, left.end.status) == (0, ["went on"], "completed")
    assert "terminating" not in left.types


@pytest.mark.parametrize(
    "raising",
    [
        "raise KeyboardInterrupt",
        "raise BaseExceptionGroup('tasks', [ValueError('x'), KeyboardInterrupt()])",
        "raise BaseExceptionGroup('a', [BaseExceptionGroup('b', [KeyboardInterrupt()])])",
        "import asyncio\nasync def main():\n  async with asyncio.TaskGroup() as group:\n"
        "    group.create_task(asyncio.sleep(9)); raise KeyboardInterrupt\nasyncio.run(main())",
        "try:\n  raise KeyboardInterrupt\nexcept KeyboardInterrupt:\n  sys.exit(1)",
    ],
)
def test_ctrl_c_is_a_cancellation_however_it_comes(run: Leaving, raising: str) -> None:
    left = run(f"ctx = open_run('job-1')\n{raising}")

    assert (left.end.status, left.end.error) == ("cancelled", "KeyboardInterrupt"), left.stderr
    assert left.code != 0


def test_the_handlers_of_asyncio_work_in_and_before_a_run(run: Leaving) -> None:
    left = run(
        """
        import asyncio

        async def wait(before):
            stopped = asyncio.Event()
            loop = asyncio.get_running_loop()
            ctx = None if before else open_run("job-1")
            loop.add_signal_handler(signal.SIGTERM, stopped.set)
            loop.add_signal_handler(signal.SIGUSR1, stopped.set)
            ctx = ctx or open_run("job-1")
            for number in (signal.SIGUSR1, signal.SIGTERM):
                os.kill(os.getpid(), number)
                await stopped.wait()
                stopped.clear()
            ctx.end_log()
            os.kill(os.getpid(), signal.SIGTERM)
            await stopped.wait()
            loop.remove_signal_handler(signal.SIGTERM)

        for before in (True, False):
            asyncio.run(wait(before))
        """
    )

    assert left.code == 0, left.stderr
    assert [end.status for end in left.ends] == ["completed", "completed"]


def test_what_is_woken_by_signals_is_left_to_others(run: Leaving) -> None:
    left = run(
        """
        import socket
        mine, theirs = socket.socketpair()
        mine.setblocking(False)
        assert signal.set_wakeup_fd(mine.fileno()) == -1
        with open_run("job-1") as ctx:
            assert signal.set_wakeup_fd(mine.fileno()) == mine.fileno()
        assert signal.set_wakeup_fd(-1) == mine.fileno()
        """
    )

    assert left.code == 0, left.stderr


def test_other_processes_inherit_nothing_of_it(run: Leaving) -> None:
    left = run(
        """
        import subprocess
        ask = "cat /proc/self/status | grep Sig"
        bare = subprocess.run(ask, shell=True, capture_output=True, text=True).stdout
        with open_run("job-1") as ctx:
            found = subprocess.run(ask, shell=True, capture_output=True, text=True).stdout
            child = os.fork()
            if child == 0:
                default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
                os._exit(0 if default and not signal.pthread_sigmask(0, []) else 1)
            assert os.waitpid(child, 0)[1] == 0
            mask = [line for line in bare.splitlines() if "SigQ" not in line]
            assert mask == [line for line in found.splitlines() if "SigQ" not in line]
        """
    )

    assert left.code == 0, left.stderr


def test_a_handler_that_the_plugin_sets_later_is_neither_told_of_nor_replaced(run: Leaving) -> None:
    left = run(
        """
        with open_run("job-1") as ctx:
            seen = []
            signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
            os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [1]
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [1, 1]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        """
    )

    assert (left.code, left.end.status, left.end.signal) == (0, "completed", None), left.stderr
    assert "terminating" not in left.types


def test_sigterm_can_be_answered_by_the_plugin_itself(run: Leaving) -> None:
    left = run(
        """
        ctx = open_run("job-1")
        try:
            wait_for_signal()
        except SystemExit:
            ctx.end_log("failed", "stopped in the middle")
            raise
        """,
        signal.SIGTERM,
    )

    assert (left.code, left.end.status, left.end.signal) == (143, "failed", "SIGTERM")
    assert left.end.error == "stopped in the middle"


def test_one_in_a_destructor_is_noted_and_the_run_goes_on(run: Leaving) -> None:
    left = run(
        """
        class Slow:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGTERM)
                be_interrupted()

        ctx = open_run("job-1")
        Slow()
        ctx.log_message("went on")
        """
    )

    assert (left.code, left.messages) == (0, ["went on"]), left.stderr
    assert (left.end.status, left.end.signal) == ("completed", "SIGTERM")
