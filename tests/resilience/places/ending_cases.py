"""How a process with an open run ends, and what its run is then shown as."""

from __future__ import annotations

import signal
from typing import NamedTuple

from synapse_stream.models import RunStatus

HEAD = """
import argparse, asyncio, hashlib, multiprocessing, os, signal, subprocess, sys, threading, time
import unittest
from synapse_stream import open_run

JOB = sys.argv[1]

def say_ready():
    ctx.log_message("ready")
    print("ready", flush=True)

def compute():  # C code that does not look for signals
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 200_000_000)

def child_of(method, work, *given):
    child = multiprocessing.get_context(method).Process(target=work, args=given)
    child.start()
    child.join()
    return child.exitcode

def main():
    global ctx
"""
WITH = "with open_run(JOB) as ctx:\n    "
WITHOUT = "ctx = open_run(JOB)\n"
_FOOT = """
if __name__ == "__main__":
    main()
"""
COMPLETED, FAILED, CANCELLED = RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED
TERM, HUP, INT, KILL = signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL
ANY = None


class Ending(NamedTuple):
    """One way to end, and what is right."""

    name: str
    body: str
    """Of a function; `WITHOUT` and `WITH` open the run as `ctx`."""
    status: RunStatus
    code: int | None = 0
    """Exit status of the process; ANY: it does not matter."""
    error: str | None = None
    """What the run's error holds; None: it has none; "": any."""
    signals: tuple[signal.Signals, ...] = ()
    """Sent one after the other, each when the plugin says that it is ready, or when readers are
    shown that the one before has arrived."""
    messages: int = 0
    """How many the stream holds."""
    attempts: int = 1
    top: str = ""
    """Module level code."""
    is_adopted: bool = False
    """Whether the end is told by whoever comes next."""

    @property
    def script(self) -> str:
        """The whole program."""
        body = "".join(f"    {line}\n" for line in self.body.splitlines())
        return f"{HEAD}{body}\n{self.top}\n{_FOOT}"


def _both(name: str, body: str, *right: object, **more: object) -> list[Ending]:
    indented = body.replace("\n", "\n    ")
    return [
        Ending(f"{name}, without a block", WITHOUT + body, *right, **more),  # type: ignore[arg-type]
        Ending(f"{name}, in a block", WITH + indented, *right, **more),  # type: ignore[arg-type]
    ]


EXITS = [
    *_both("the end of the script", "pass", COMPLETED),
    *_both("sys.exit(0)", "sys.exit(0)", COMPLETED),
    *_both("sys.exit()", "sys.exit()", COMPLETED),
    *_both("sys.exit(3)", "sys.exit(3)", FAILED, 3, "exited with status 3"),
    *_both("raise SystemExit(3)", "raise SystemExit(3)", FAILED, 3, "exited with status 3"),
    *_both("exit(3)", "exit(3)", FAILED, 3, "exited with status 3"),
    *_both("sys.exit of a text", "sys.exit('bad configuration')", FAILED, 1, "bad configuration"),
    *_both("argparse", "argparse.ArgumentParser().parse_args(['--bad'])", FAILED, 2, "status 2"),
    *_both(
        "unittest",
        "class T(unittest.TestCase):\n    def test(self):\n        self.fail()\n"
        "sys.modules['__main__'].T = T\nunittest.main(argv=['x'])",
        *(FAILED, 1, "status"),
    ),
    *_both("raise", "raise ValueError('no data')", FAILED, 1, "ValueError: no data"),
    *_both(
        "caught, then sys.exit(1)",
        "try:\n    1 / 0\nexcept Exception:\n    sys.exit(1)",
        *(FAILED, 1, ""),
    ),
    *_both(
        "sys.exit(3) that somebody catches",
        "try:\n    sys.exit(3)\nexcept SystemExit:\n    ctx.log_message('caught')",
        *(COMPLETED, 0),
        messages=1,
    ),
    *_both(
        "sys.exit in a thread",
        "thread = threading.Thread(target=sys.exit, args=(3,))\nthread.start()\nthread.join()",
        COMPLETED,
    ),
    *_both(
        "finally: end_log()",
        "try:\n    raise MemoryError('too much')\nfinally:\n    ctx.end_log()",
        *(FAILED, 1, "MemoryError"),
    ),
    *_both(
        "finally: end_log(), all well", "try:\n    pass\nfinally:\n    ctx.end_log()", COMPLETED
    ),
    *_both(
        "finally: sys.exit(3) and end_log()",
        "try:\n    sys.exit(3)\nfinally:\n    ctx.end_log()",
        *(FAILED, 3, "status 3"),
    ),
    *_both(
        "end_log() behind a caught error",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass\nctx.end_log()",
        COMPLETED,
    ),
    *_both(
        "a named status stands",
        "try:\n    raise ValueError\nfinally:\n    ctx.end_log('completed')",
        *(COMPLETED, 1),
    ),
    *_both(
        "a named failure stands", "ctx.end_log('failed', 'as I say')", FAILED, 0, "as I say"
    ),
    *_both(
        "an exception group with Ctrl-C in it",
        "raise BaseExceptionGroup('g', [ValueError(), KeyboardInterrupt()])",
        *(CANCELLED, ANY, ""),
    ),
    Ending(
        "os._exit", WITHOUT + "os._exit(0)", FAILED, 0, "without ending", is_adopted=True
    ),
    Ending(
        "os.abort", WITHOUT + "os.abort()", FAILED, -signal.SIGABRT, "without ending",
        is_adopted=True,
    ),
    Ending(
        "os.execv",
        WITHOUT + "os.execv(sys.executable, [sys.executable, '-c', 'pass'])",
        *(FAILED, 0, "without ending"),
        is_adopted=True,
    ),
]  # fmt: skip

SIGNALS = [
    *_both(
        "SIGTERM while it sleeps", "say_ready()\ntime.sleep(60)", CANCELLED, ANY,
        "terminated by SIGTERM", signals=(TERM,), messages=1,
    ),
    *_both(
        "SIGHUP while it sleeps", "say_ready()\ntime.sleep(60)", CANCELLED, ANY,
        "terminated by SIGHUP", signals=(HUP,), messages=1,
    ),
    *_both(
        "Ctrl-C while it sleeps", "say_ready()\ntime.sleep(60)", CANCELLED, ANY, "",
        signals=(INT,), messages=1,
    ),
    *_both(
        "SIGTERM in C code, then SIGKILL", "say_ready()\ncompute()", CANCELLED, -KILL,
        "terminated by SIGTERM", signals=(TERM, KILL), messages=1, is_adopted=True,
    ),
    *_both(
        "SIGTERM that is swallowed, then another",
        "say_ready()\nwhile True:\n    try:\n        time.sleep(60)\n    except:\n        pass",
        *(CANCELLED, -TERM, "terminated by SIGTERM"),
        signals=(TERM, TERM), messages=1, is_adopted=True,
    ),
    *_both(
        "SIGTERM that is swallowed, and all is done",
        "try:\n    say_ready()\n    time.sleep(60)\nexcept:\n    pass\nctx.log_message('done')",
        COMPLETED, signals=(TERM,), messages=2,
    ),
    *_both(
        "SIGHUP that is ignored",
        "say_ready()\nsys.stdin.readline()", COMPLETED, signals=(HUP,), messages=1,
        top="signal.signal(signal.SIGHUP, signal.SIG_IGN)",
    ),
    Ending(
        "SIGTERM in a coroutine",
        WITH + "async def work():\n        say_ready()\n        await asyncio.sleep(60)\n"
        "    asyncio.run(work())",
        CANCELLED, ANY, "terminated by SIGTERM", signals=(TERM,), messages=1,
    ),
    Ending(
        "Ctrl-C in a task group",
        WITH + "async def work():\n        async with asyncio.TaskGroup() as group:\n"
        "            group.create_task(asyncio.sleep(60))\n            say_ready()\n"
        "    asyncio.run(work())",
        CANCELLED, ANY, "", signals=(INT,), messages=1,
    ),
    Ending(
        "SIGTERM that the plugin handles",
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n" + WITH + "say_ready()\n"
        "    time.sleep(60)",
        FAILED, 7, "exited with status 7", signals=(TERM,), messages=1,
    ),
]  # fmt: skip

_CHILD = """
def work(how):
    global ctx
    ctx = open_run(JOB)
    ctx.log_message("child")
    if how == "raise":
        raise ValueError("no data")
    if how == "exit":
        sys.exit(3)
"""
_METHODS = ("fork", "spawn", "forkserver")

CHILDREN = [
    *(
        Ending(
            f"a run of a child, {method}, {how}", f"child_of({method!r}, work, {how!r})", status, 0,
            error, messages=1, top=_CHILD,
        )
        for method in _METHODS
        for how, status, error in (
            ("return", COMPLETED, None),
            ("raise", FAILED, ""),  # from 3.13 on only that it failed
            ("exit", FAILED, "exited with status 3"),
        )
    ),
    *(
        Ending(
            f"a child beside a run, {method}",
            f"ctx = open_run(JOB)\nchild_of({method!r}, work, 'return')\nctx.log_message('parent')",
            COMPLETED, messages=2, top=_CHILD,
        )
        for method in _METHODS
    ),
    Ending(
        "a child beside a run that fails by itself",
        "ctx = open_run(JOB)\nchild_of('spawn', work, 'exit')\nctx.log_message('parent')",
        COMPLETED, messages=2, top=_CHILD,
    ),
    Ending(
        "another attempt beside it", WITH + "with open_run(JOB, attempt='new') as other:\n"
        "        other.log_message('second')", COMPLETED, messages=1, attempts=2,
    ),
    Ending(
        "a cell run again",
        "open_run(JOB).log_message('first')\nctx = open_run(JOB)\nctx.log_message('second')",
        COMPLETED, messages=2, attempts=2,
    ),
    *(
        Ending(
            f"a pickled context, {method}",
            WITH + f"child_of({method!r}, tell, ctx)\n    ctx.log_message('parent')",
            COMPLETED, messages=2, top="def tell(ctx):\n    ctx.log_message('child')\n",
        )
        for method in _METHODS
    ),
]  # fmt: skip

ENDINGS = [*EXITS, *SIGNALS, *CHILDREN]
