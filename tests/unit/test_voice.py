from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.saying import voice
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGGER = logging.getLogger("synapse_stream")


class Handler(logging.Handler):
    """Does something odd with each record, in `emit` or in the part that is named."""

    def __init__(self, do: Callable[[logging.LogRecord], Any]) -> None:
        super().__init__()
        self.do = do
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())
        self.do(record)


class Unprintable:
    def __str__(self) -> str:
        msg = "no text"
        raise ValueError(msg)


def raising(error: BaseException) -> Callable[[Any], Any]:
    def fail(_record: object) -> None:
        raise error

    return fail


@pytest.fixture
def attach() -> Iterator[Callable[[logging.Handler], logging.Handler]]:
    attached: list[logging.Handler] = []

    def add(handler: logging.Handler) -> logging.Handler:
        LOGGER.addHandler(handler)
        attached.append(handler)
        return handler

    yield add
    for handler in attached:
        LOGGER.removeHandler(handler)


def test_what_is_said_names_level_caller_and_thread(caplog: pytest.LogCaptureFixture) -> None:
    voice.warn("job %s: %d events wait: %s", "job-1", 3, OSError("full"))
    voice.error("it failed")
    try:
        msg = "odd"
        raise KeyError(msg)
    except KeyError:
        voice.fault("the keeper failed")

    warning, error, fault = caplog.records
    assert warning.getMessage() == "job job-1: 3 events wait: full"
    assert [r.levelname for r in caplog.records] == ["WARNING", "ERROR", "ERROR"]
    assert (warning.filename, warning.threadName) == ("test_voice.py", "MainThread")
    assert warning.funcName == "test_what_is_said_names_level_caller_and_thread"
    assert error.exc_info is None
    assert fault.exc_info is not None
    assert fault.exc_info[0] is KeyError


@pytest.mark.parametrize(
    "error", [OSError("disk"), SystemExit(1), RecursionError(), MemoryError()], ids=repr
)
def test_a_handler_that_raises_stops_neither_speaker_nor_later_words(
    attach: Callable[..., Any], error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = attach(Handler(raising(error)))

    voice.warn("one")
    voice.warn("two")

    assert handler.seen == ["one", "two"]
    assert "synapse-stream: two" in capfd.readouterr().err


@pytest.mark.parametrize("part", ["filter", "formatter", "factory"])
def test_a_filter_a_formatter_and_a_factory_may_raise(
    attach: Callable[..., Any], part: str
) -> None:
    handler = attach(logging.StreamHandler())
    factory = logging.getLogRecordFactory()
    if part == "filter":
        handler.addFilter(raising(ValueError("odd")))
    elif part == "formatter":
        handler.setFormatter(logging.Formatter("%(what)s"))
    else:
        logging.setLogRecordFactory(lambda *_, **__: raising(ValueError("odd"))(None))
    try:
        voice.warn("one")
    finally:
        logging.setLogRecordFactory(factory)


def test_arguments_that_cannot_be_shown_are_named(caplog: pytest.LogCaptureFixture) -> None:
    voice.warn("it is %s", Unprintable())

    assert "it is <" in caplog.text
    assert "Unprintable" in caplog.text


def test_a_handler_that_speaks_in_turn_comes_to_an_end(attach: Callable[..., Any]) -> None:
    handler = attach(Handler(lambda record: voice.warn("heard %s", record.getMessage())))

    voice.warn("one")

    assert handler.seen == ["one"]


def test_a_handler_that_hangs_holds_nobody_up(
    attach: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "_LONGEST_WAIT_SECONDS", 0.01)
    goes_on = threading.Event()
    handler = attach(Handler(lambda _: goes_on.wait()))

    for number in range(300):
        voice.warn("word %d", number)
    seen_before = list(handler.seen)
    goes_on.set()
    voice.warn("last")

    assert seen_before == ["word 0"]
    while "synapse-stream-voice" in {thread.name for thread in threading.enumerate()}:
        threading.Event().wait(0.01)
    assert handler.seen[:2] == ["word 0", "word 1"]
    voice.warn("again")
    assert handler.seen[-1] == "again"


def test_a_signals_exception_passes(attach: Callable[..., Any]) -> None:
    class TooLate(Exception):
        pass

    def interrupt(_number: int, _frame: object) -> None:
        raise TooLate

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        attach(Handler(lambda _: os.kill(os.getpid(), signal.SIGUSR1)))
        with pytest.raises(TooLate):  # noqa: PT012 - comes at the latest in the second call
            voice.warn("one")
            voice.warn("two")
    finally:
        signal.signal(signal.SIGUSR1, before)


ENDS = """
import os, sys, logging
from synapse_stream.saying import voice
{before}
voice.warn("one")
voice.error("two")
print("alive", file=sys.stdout)
"""


@pytest.mark.parametrize(
    "before",
    [
        "os.close(2)",
        "sys.stderr.close()",
        "sys.stderr = None",
        "sys.stderr = sys.__stderr__ = None",
        "class Odd:\n    flush = print\n    def write(self, _): raise SystemExit(3)\n"
        "sys.stderr = Odd(); Odd.flush = lambda self: None",
        "logging.shutdown()",
        "logging.raiseExceptions = True; sys.stderr.close(); logging.lastResort.setLevel(0)",
        "import threading; threading.Thread.start = lambda self: exec('raise RuntimeError')",
        "import atexit; atexit.register(voice.warn, 'at exit')",
        "class Late:\n    def __del__(self): voice.warn('in the shutdown')\nlate = Late()",
        "pid = os.fork()\nif pid == 0: voice.warn('child'); os._exit(0)\nos.waitpid(pid, 0)",
    ],
)
def test_it_is_said_or_not_but_the_process_goes_on(before: str) -> None:
    program = ENDS.format(before=before)

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stdout) == (0, "alive\n")
    assert "Traceback" not in ran.stderr


def test_a_pipe_that_nobody_reads_holds_nobody_up() -> None:
    program = (
        "import os, sys, fcntl\n"
        "from synapse_stream.saying import voice\n"
        "reader, writer = os.pipe()\n"
        "os.set_blocking(writer, False)\n"
        "try:\n    while True: os.write(writer, b'x' * 4096)\n"
        "except BlockingIOError: pass\n"
        "os.set_blocking(writer, True)\n"
        "os.dup2(writer, 2)\n"
        "for word in range(5): voice.warn('word')\n"
        "print('alive', flush=True)\n"
        "os._exit(0)\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )

    assert ran.stdout == "alive\n"


def test_words_go_on_when_something_is_raised_in_the_thread_that_says_them(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a library that stops threads from outside."""
    said = voice._hand_to_logging
    monkeypatch.setattr(voice, "_hand_to_logging", raising(SystemExit()))
    voice.warn("first")
    monkeypatch.setattr(voice, "_hand_to_logging", said)
    wait_until(lambda: "synapse-stream-voice" not in {each.name for each in threading.enumerate()})

    voice.warn("second")

    assert caplog.messages == ["second"]
