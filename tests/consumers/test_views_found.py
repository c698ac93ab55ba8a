"""Which views other packages bring, and what is wrong with those that are left out."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from consumers import views
from synapse_stream.errors import ConfigError
from tests.support.packages import installed, put_example, put_module

if TYPE_CHECKING:
    from pathlib import Path

OURS = ("run-state", "metric-history", "message-feed", "archive")
HEAD = "from typing import NamedTuple\nfrom synapse_stream import JobView\n"


def source(name: str, *lines: str) -> str:
    """Return a module with the view V."""
    fields = "\n    ".join((f"name = {name!r}", "version = 1", *lines))
    begin = "    def begin(self): return {}\n"
    return f"{HEAD}class V(JobView):\n    {fields}\n{begin}    def apply(self, delivery): ...\n"


FAULTS = {
    "run-state": (source("run-state"), "the name is taken by Synapse Stream itself"),
    "all": (source("all"), "the name is taken"),
    "own-old": (source("own-old"), "the name is taken"),
    "My_View": (source("My_View"), "a name is lower-case words joined by hyphens"),
    "../up": (source("../up"), "a name is lower-case words"),
    "x" * 41: (source("x" * 41), "at most 40 letters"),
    "gone": ("import nothing_of_this_name", "ModuleNotFoundError: No module named"),
    "broken": ("class V(", "SyntaxError"),
    "leaving": ("raise SystemExit(3)", "SystemExit: 3"),
    "lacking": ("", "AttributeError"),
    "a-function": ("def V(): ...", "is no class that inherits from synapse_stream.JobView"),
    "abstract": (
        f"{HEAD}class V(JobView):\n    name, version = 'abstract', 1\n",
        "lacks apply and begin",
    ),
    "other": (source("another"), "name='another'; expected 'other'"),
    "no-version": (source("no-version", "version = '1'"), "version='1'; expected an int from 1"),
    "bad-row": (source("bad-row", "row = int"), "expected a NamedTuple with fields"),
    "bad-column": (
        source("bad-column", "row = NamedTuple('R', [('a', list)])"),
        "the column 'a' is <class 'list'>; expected one of str, int, float, bool",
    ),
    "twice-named": (
        source("twice-named", "row = NamedTuple('R', [('a', int), ('A', int)])"),
        "none of them named twice",
    ),
}


def test_each_that_cannot_be_had_says_why_and_the_others_are_there(tmp_path: Path) -> None:
    for number, (name, (text, _)) in enumerate(FAULTS.items()):
        put_module(tmp_path, f"bad_{number}", text, {name: f"bad_{number}:V"})

    with installed(tmp_path, put_example(tmp_path / "good")):
        assert views.installed() == ("errors-by-kind", "time-by-step")
        assert views.names() == (*OURS[:-1], *views.installed(), "archive")
        assert set(views.faults()) == set(FAULTS)
        for name, (_, reason) in FAULTS.items():
            assert reason in views.faults()[name]
            assert f"the view {name!r} of bad_" in views.faults()[name]
        with pytest.raises(ConfigError, match="of bad_6 is left out: bad_6:V cannot be loaded"):
            views.find("gone")
    assert views.names() == OURS


def test_of_two_packages_with_one_name_neither_is_taken(tmp_path: Path) -> None:
    """Which one is found first differs from machine to machine."""
    for name in ("one", "two"):
        put_module(tmp_path, name, source("same"), {"same": f"{name}:V"})

    with installed(tmp_path):
        assert views.installed() == ()
        assert views.faults()["same"].startswith("the view 'same' of one and two is left out: both")


def test_a_consumer_of_one_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    put_module(tmp_path, "bad", "import nothing_of_this_name", {"gone": "bad:V"})

    done = subprocess.run(
        [sys.executable, "-m", "consumers", "gone"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "consumers: the view 'gone' of bad is left out: bad:V cannot" in done.stderr
    with pytest.raises(ConfigError, match="there is no view 'never'; there is run-state, metric"):
        views.find("never")
