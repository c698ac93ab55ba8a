"""When the fault plan's report and its exit status say that a run is void."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tests.resilience.__main__ import WHOLE_PLAN, main
from tests.resilience.consumers.plan import CONSUMER_PLAN, DAMAGE_PLAN
from tests.resilience.live.plan import LIVE_PLAN
from tests.resilience.places.plan import GUESTS_PLAN, PLACES_PLAN
from tests.resilience.plan import PLAN, Scenario
from tests.support.scenes.report import Result

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    import pytest


def sound(home: Path, count: int, random: Random) -> Result:
    result = Result("all happened", count, happened=count)
    result.tally.events = 7
    return result


def half_played(home: Path, count: int, random: Random) -> Result:
    result = sound(home, count, random)
    result.happened -= 1
    return result


def impossible_here(home: Path, count: int, random: Random) -> Result:
    result = Result("not here", count)
    result.skipped = "no room: make some"
    return result


def broken(home: Path, count: int, random: Random) -> Result:
    msg = "the stage collapsed"
    raise AssertionError(msg)


def lossy(home: Path, count: int, random: Random) -> Result:
    result = sound(home, count, random)
    result.tally.blame("lost", "event 3 is gone")
    return result


def test_all_parts_are_one_plan_with_one_report(capsys: pytest.CaptureFixture[str]) -> None:
    parts = (PLAN, CONSUMER_PLAN, DAMAGE_PLAN, LIVE_PLAN, PLACES_PLAN, GUESTS_PLAN)
    assert tuple(chain.from_iterable(parts)) == WHOLE_PLAN

    status = main([Scenario(sound, 2, 1), Scenario(sound, 3, 1)], [])

    *_, sums = capsys.readouterr().out.splitlines()
    assert sums.split()[:4] == ["all", "5", "5", "14"]
    assert status == 0


def test_a_run_that_is_void_or_found_something_has_exit_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = {
        half_played: "void: 1 of 2 planned faults happened",
        impossible_here: "void: no room: make some",
        broken: "the stage collapsed",
        lossy: "event 3 is gone",
    }
    for play, words in expected.items():
        assert main([Scenario(sound, 1, 1), Scenario(play, 2, 1)], []) == 1
        assert words in capsys.readouterr().out
