"""A run that nothing ended ends as its process does: by the status that the process exits with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.leaving import HEAD, need

if TYPE_CHECKING:
    from tests.support.leaving import Leaving

OPEN = "ctx = open_run('job-1')\n"


@pytest.mark.parametrize(
    ("script", "code", "error"),
    [
        ("sys.exit(3)", 3, "exited with status 3"),
        ("sys.exit('no data')", 1, "no data"),
        ("exit(4)", 4, "exited with status 4"),
        ("raise SystemExit(5)", 5, "exited with status 5"),
        ("def main(): return 6\nraise SystemExit(main())", 6, "exited with status 6"),
        ("class Quit(SystemExit): pass\nraise Quit(7)", 7, "exited with status 7"),
        ("sys.exit(True)", 1, "exited with status 1"),
        ("sys.exit(-1)", 255, "exited with status -1"),
        ("sys.exit((1, 2))", 1, "(1, 2)"),
        ("import argparse; argparse.ArgumentParser().parse_args(['--bad'])", 2, "status 2"),
        ("import unittest\nclass T(unittest.TestCase):\n  def test(self): self.fail()\n"
         "unittest.main(argv=['x'])", (1, 1), "exited with status 1"),
        ("try:\n    1 / 0\nexcept Exception:\n    sys.exit(1)", 1, "exited with status 1"),
        ("try:\n    sys.exit(0)\nfinally:\n    sys.exit(8)", 8, "exited with status 8"),
        ("try: sys.exit(0)\nexcept SystemExit: pass\nsys.exit(9)", 9, "exited with status 9"),
        ("import runpy\nrunpy.run_path(sys.argv[0]) if 0 else sys.exit(10)", 10, "status 10"),
        ("import asyncio\nasync def main(): sys.exit(11)\nasyncio.run(main())", 11, "status 11"),
        ("raise ValueError('no data')", 1, "ValueError: no data"),
        ("sys.excepthook = lambda *_: None\nraise ValueError('unseen')", 1, "ValueError: unseen"),
    ],
)  # fmt: skip
def test_a_failing_process_has_failed_its_run(
    run: Leaving, script: str, code: int | tuple[int, ...], error: str
) -> None:
    left = run(OPEN + script)

    assert left.code == code or (isinstance(code, tuple) and left.code in code), left.stderr
    assert left.end.status == "failed"
    assert error in (left.end.error or "")


@pytest.mark.parametrize(
    "script",
    [
        "pass",
        "sys.exit()",
        "sys.exit(0)",
        "exit(False)",
        "raise SystemExit",
        "raise SystemExit(0)",
        "try: sys.exit(3)\nexcept SystemExit as error: assert error.code == 3",
        "try: sys.exit(3)\nexcept SystemExit: pass\nsys.exit(0)",
        "thread = threading.Thread(target=lambda: sys.exit(3))\nthread.start(); thread.join()",
        "thread = threading.Thread(target=lambda: 1 / 0)\nthread.start(); thread.join()",
        "try: 1 / 0\nexcept ZeroDivisionError: pass",
        "class Broken:\n    def __del__(self): sys.exit(3)\nBroken()",
        "import atexit; atexit.register(lambda: 1 / 0)",
        "import atexit; atexit.register(sys.exit, 3)",
    ],
)
def test_a_process_that_ends_well_has_completed_its_run(run: Leaving, script: str) -> None:
    left = run(OPEN + script)

    assert left.code == 0, left.stderr
    assert (left.end.status, left.end.error) == ("completed", None)


@pytest.mark.parametrize("how", ["sys.exit(3)", "exit(3)", "raise SystemExit(3)"])
def test_a_name_imported_before_the_run_tells_as_well(run: Leaving, how: str) -> None:
    left = run("from sys import exit\n" + OPEN + how)

    assert (left.code, left.end.error) == (3, "exited with status 3")


@pytest.mark.parametrize(
    ("before", "how"),
    [
        ("from sys import exit as quit_now", "quit_now(3)"),
        ("class A: leave = sys.exit", "A().leave(3)"),
        ("class A: pass\nA.one = A(); A.one.leave = sys.exit", "A.one.leave(3)"),
        ("def f(leave=sys.exit):\n  leave = leave\n  return lambda: leave(3)\ng = f()", "g()"),
        ("import atexit; from sys import exit as q; atexit.register(q)", "q(3)"),
    ],
)
def test_the_same_function_under_another_name_tells_as_well(
    run: Leaving, before: str, how: str
) -> None:
    left = run(f"{before}\n{OPEN}{how}")

    assert (left.code, left.end.error) == (3, "exited with status 3"), left.stderr


def test_another_name_is_as_it_was_behind_the_run(run: Leaving) -> None:
    left = run(
        """
        import builtins
        from sys import exit as quit_now
        class A: leave = sys.exit
        before = type(quit_now)
        open_run("job-1").end_log()
        assert (type(quit_now), type(A.leave), type(sys.exit)) == (before,) * 3
        with open_run("job-1") as ctx:
            from sys import exit as later
        assert type(later) is before
        A().leave(3)
        """
    )

    assert left.code == 3, left.stderr


def test_click_tells_of_wrong_use(run: Leaving) -> None:
    need("click")
    left = run(
        """
        import click

        @click.command()
        @click.option("--epochs", type=int)
        def train(epochs):
            open_run("job-1")

        open_run("job-1")
        train(["--epochs", "many"])
        """
    )

    assert (left.code, left.end.error) == (2, "exited with status 2"), left.stderr


@pytest.mark.parametrize("way", ["file", "module", "prompt", "pytest"])
def test_however_the_interpreter_is_called(run: Leaving, way: str) -> None:
    if way == "pytest":
        need(way)
    path = run.write(
        OPEN + "def test_it():\n    assert False\nif __name__ == '__main__':\n  exit(3)"
    )
    ways = {
        "file": [str(path)],
        "module": ["-m", path.stem],
        "prompt": ["-i", "-c", ""],
        "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)],
    }
    text = f"{HEAD}{OPEN}1 / 0\nexit(3)\n" if way == "prompt" else ""

    left = run.run(ways[way], text=text)

    code = 1 if way == "pytest" else 3
    assert (left.code, left.end.error) == (code, f"exited with status {code}"), left.stderr


def test_an_error_at_a_prompt_ends_neither_the_process_nor_the_run(run: Leaving) -> None:
    left = run.run(["-i", "-c", ""], text=HEAD + OPEN + "1 / 0\nctx.log_message('going on')\n")

    assert (left.code, left.messages, left.end.status) == (0, ["going on"], "completed")


def test_nothing_of_the_interpreter_is_changed_but_while_a_run_is_open(run: Leaving) -> None:
    left = run(
        """
        before = sys.exit, SystemExit.__dict__["code"]
        ctx = open_run("job-1")
        other = open_run("job-2")
        ctx.end_log()
        assert SystemExit.__dict__["code"] is not before[1]
        other.end_log()
        assert (sys.exit, SystemExit.__dict__["code"]) == before
        assert SystemExit(3).code == 3
        sys.exit(3)
        """
    )

    assert (left.code, left.end.status) == (3, "completed"), left.stderr


def test_the_code_of_an_exit_can_be_read_and_changed_as_ever(run: Leaving) -> None:
    left = run(
        OPEN
        + """
try:
    sys.exit(3)
except SystemExit as error:
    error.code = 4
    raise
"""
    )

    assert (left.code, left.end.error) == (4, "exited with status 4"), left.stderr


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [
        ("try:\n    raise MemoryError\nfinally:\n    ctx.end_log()", "failed", "MemoryError"),
        ("try:\n    raise KeyboardInterrupt\nfinally:\n    ctx.end_log()", "cancelled", "Keyb"),
        ("try:\n    sys.exit(3)\nfinally:\n    ctx.end_log()", "failed", "exited with status 3"),
        ("try:\n    sys.exit(0)\nfinally:\n    ctx.end_log()", "completed", ""),
        ("try:\n    pass\nfinally:\n    ctx.end_log()", "completed", ""),
        ("try:\n    1 / 0\nfinally:\n    ctx.end_log('completed')", "completed", ""),
        ("try:\n    1 / 0\nfinally:\n    ctx.logger.end_log()", "failed", "ZeroDivisionError"),
        ("with ctx:\n  try:\n    1 / 0\n  finally:\n    ctx.end_log()", "failed", "ZeroDiv"),
        ("with ctx:\n    ctx.end_log()\n    raise OSError('late')", "failed", "OSError: late"),
        ("with ctx:\n    ctx.end_log()\n    sys.exit(3)", "failed", "exited with status 3"),
        ("with ctx:\n    ctx.end_log('cancelled')\n    raise OSError('late')", "cancelled", ""),
        ("ctx.__enter__()\nctx.end_log(result=1)\nsys.exit(3)", "failed", "exited with status 3"),
    ],
)
def test_an_end_without_a_status_is_what_becomes_of_its_block(
    run: Leaving, script: str, status: str, error: str
) -> None:
    left = run(OPEN + script)

    assert left.end.status == status, left.stderr
    assert (left.end.error or "").startswith(error)


def test_an_error_that_was_being_handled_when_the_run_was_opened_is_none_of_it(
    run: Leaving,
) -> None:
    left = run(
        """
        try:
            1 / 0
        except ZeroDivisionError:
            ctx = open_run("job-1")
            ctx.end_log()
        """
    )

    assert left.end.status == "completed", left.stderr
