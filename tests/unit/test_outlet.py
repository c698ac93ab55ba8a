"""A console whose stream is closed, full, gone, missing or odd: the plugin notices nothing."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.loggers.console import ConsoleLogger
from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.saying.outlet import Outlet
from tests.unit.terminals import on_a_terminal, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGIN = """
    import sys
    from synapse_stream import ConsoleLogger, RuntimeContext
    BEFORE
    with RuntimeContext(ConsoleLogger("job-1")) as ctx:
        for done in range(1, 301):
            ctx.set_progress(done, 300, step="training")
            ctx.log_message("a message of some length, to fill what can be full " * 20)
            ctx.set_metrics({"loss": 0.5})
    print("the plugin's own", file=OWN)
    OWN.flush()
"""


def run_plugin(before: str = "", /, **streams: Any) -> subprocess.CompletedProcess[str]:
    """Run the plugin; what it prints comes back in `stdout`, whatever its streams are."""
    reading, writing = os.pipe()
    own = f"OWN = open({writing}, 'w')\n{before}"
    code = textwrap.dedent(PLUGIN).replace("BEFORE", own)
    process = subprocess.Popen([sys.executable, "-c", code], pass_fds=(writing,), **streams)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        printed = pipe.read()
    return subprocess.CompletedProcess([], process.wait(), printed, "")


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def full_pipe() -> int:
    _, writing = os.pipe()  # the reader stays open and never reads
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    return writing


def full_pipe_that_does_not_block() -> int:
    writing = full_pipe()
    os.set_blocking(writing, False)
    return writing


def terminal_that_is_gone() -> int:
    leader, follower = pty.openpty()
    os.close(leader)
    return follower


def terminal_that_nobody_reads() -> int:
    _, follower = pty.openpty()
    return follower


@pytest.mark.parametrize(
    "make",
    [
        closed_pipe, full_pipe, full_pipe_that_does_not_block, terminal_that_is_gone,
        terminal_that_nobody_reads, lambda: os.open("/dev/full", os.O_WRONLY),
        lambda: os.open(os.devnull, os.O_RDONLY),
    ],
)  # fmt: skip
@pytest.mark.parametrize("which", ["stderr", "both"])
def test_a_stream_that_takes_nothing_is_left_alone(make: Callable[[], int], which: str) -> None:
    stream = make()
    streams = {"stderr": stream} if which == "stderr" else {"stderr": stream, "stdout": stream}
    own = streams | ({} if which == "both" else {"stdout": subprocess.DEVNULL})

    ran = run_plugin("", **own)

    assert (ran.returncode, ran.stdout) == (0, "the plugin's own\n")


def test_a_pager_that_quits_in_between_does_not_end_the_plugin() -> None:
    head = subprocess.Popen(["head", "-3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert head.stdin
    assert head.stdout
    stream = head.stdin.fileno()

    ran = run_plugin("import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)", stderr=stream)

    head.stdin.close()
    assert (ran.returncode, ran.stdout) == (0, "the plugin's own\n")
    assert len(head.stdout.readlines()) == 3
    head.stdout.close()
    head.wait()


@pytest.mark.parametrize(
    "before",
    [
        "sys.stderr = None",
        "sys.stderr = sys.stdout = sys.__stderr__ = None",
        "import os; os.close(2); os.close(1)",
        "sys.stderr.close()",
        "class Odd:\n    def write(self, text): raise SystemExit(3)\nsys.stderr = Odd()",
        "class Odd:\n    def isatty(self): raise OSError\nsys.stderr = Odd()",
        "class Odd:\n    def __getattr__(self, name): raise KeyError(name)\nsys.stderr = Odd()",
        "sys.stderr.reconfigure(encoding='ascii')",
        "import types; sys.stderr = types.SimpleNamespace(encoding='utf-none', write=len)",
        "sys.modules['rich'] = None",
    ],
)
@pytest.mark.parametrize("stream", ["pipe", "terminal"])
def test_whatever_stands_for_standard_error_the_plugin_goes_on(before: str, stream: str) -> None:
    leader, follower = pty.openpty() if stream == "terminal" else os.pipe()
    os.set_blocking(follower, False)

    ran = run_plugin(before, stderr=follower, stdout=subprocess.DEVNULL)

    os.close(leader)
    os.close(follower)
    assert ran.stdout == "the plugin's own\n"
    # 120 is Python's own: it could not flush what the plugin has put there
    assert ran.returncode in ({0, 120} if "Odd" in before or "types" in before else {0})


@pytest.mark.parametrize(
    "before",
    [
        "import sys; sys.modules['rich'] = None",
        "import sys; sys.modules['rich.progress'] = None",
        """
        import threading, rich.live
        def refuse(self): raise RuntimeError("can't start new thread")
        rich.live._RefreshThread.start = refuse
        """,
    ],
)
def test_a_terminal_without_rich_or_threads_gets_plain_lines(before: str) -> None:
    report = """
        from synapse_stream import ConsoleLogger, RuntimeContext
        with RuntimeContext(ConsoleLogger("job-1")) as ctx:
            ctx.set_progress(1, 2, step="training")
            ctx.log_message("careful", context="warning")
            print("from the plugin")
            ctx.set_progress(2, 2, step="training")
    """

    text = on_a_terminal(textwrap.dedent(before) + textwrap.dedent(report))

    said = [
        line[18:].split(",")[0].rstrip(")")
        for line in plain_text(text).splitlines()
        if line[:2].isdigit()
    ]
    assert said[:2] == ["training 1/2 (50%", "careful"]
    assert "from the plugin" in text
    assert said[-2:] == ["training 2/2 (100%", "job-1 completed"]
    assert text.count("\x1b[?25l") <= text.count("\x1b[?25h")


def test_it_is_said_once_that_a_console_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    ctx = RuntimeContext(ConsoleLogger(stream=Gone()))
    for _ in range(3):
        ctx.log_message("hello")

    assert caplog.text.count("Input/output error") == 1


def test_a_stream_that_is_replaced_gets_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, fresh = io.StringIO(), io.StringIO()
    gone.close()
    outlet = Outlet()
    for stream in (gone, None, fresh):
        monkeypatch.setattr(sys, "stderr", stream)
        outlet.write("hello\n")

    assert fresh.getvalue() == "hello\n"


def test_a_signals_exception_reaches_the_plugin() -> None:
    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            raise KeyboardInterrupt

    ctx = RuntimeContext(ConsoleLogger(stream=Interrupted()))

    with pytest.raises(KeyboardInterrupt):
        ctx.log_message("hello")
