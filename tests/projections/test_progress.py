"""How far steps and runs are: honest, and never falling back without a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.events import SECOND, START, event, progress, started
from tests.support.folding import Scene, scene

if TYPE_CHECKING:
    from synapse_stream.ports.views import StepState


def step(told: Scene) -> StepState:
    (only,) = told.attempt.steps
    return only


def test_a_step_shows_what_was_reported_of_it() -> None:
    shown = step(scene(progress(30, 120, "training", at=5), progress(60, 120, "training", at=65)))

    assert (shown.name, shown.current, shown.total, shown.percent) == ("training", 60, 120, 50)
    assert (shown.started, shown.updated) == (START + 5 * SECOND, START + 65 * SECOND)
    assert (shown.rate, shown.eta_seconds) == (0.5, 120)


@pytest.mark.parametrize(
    ("current", "total", "percent"),
    [(7, 100, 7), (0, 5e-324, 0), (1.7e308, 1.7e308, 100), (2**53, 2**54, 50), (0.1, 0.2, 50)],
)
def test_a_percentage_of_any_numbers_is_from_0_to_100(
    current: float, total: float, percent: float
) -> None:
    assert step(scene(progress(current, total))).percent == percent


def test_one_report_tells_no_rate() -> None:
    shown = step(scene(progress(30)))

    assert (shown.rate, shown.eta_seconds) == (None, None)


def test_what_was_done_before_a_run_went_on_from_a_checkpoint_does_not_count_for_its_rate() -> None:
    shown = step(scene(progress(90, at=0), progress(91, at=1)))

    assert shown.rate == 1


def test_recent_reports_weigh_more_in_the_rate() -> None:
    slow = [progress(n, 10_000, at=n * 10) for n in range(20)]
    fast = [progress(19 + n, 10_000, at=190 + n) for n in range(1, 121)]

    rate = step(scene(*slow, *fast)).rate

    assert rate is not None
    assert 0.9 < rate < 1


def test_a_clock_that_goes_back_gives_no_negative_rate() -> None:
    shown = step(scene(progress(1, at=10), progress(2, at=5), progress(3, at=6)))

    assert shown.rate == pytest.approx(2, rel=0.05)


def test_nothing_left_takes_no_time_and_standing_still_takes_nobody_knows_how_long() -> None:
    assert step(scene(progress(50, at=0), progress(100, at=1))).eta_seconds == 0
    assert step(scene(progress(50, at=0), progress(50, at=1))).eta_seconds is None


def test_a_failed_step_keeps_its_last_percentage() -> None:
    shown = step(scene(progress(40), event("progress", failed=True, error="OSError: full")))

    assert (shown.is_failed, shown.percent, shown.error) == (True, 40, "OSError: full")


def test_a_step_can_fail_before_it_reported_anything() -> None:
    shown = step(scene(event("progress", failed=True, step="upload")))

    assert (shown.name, shown.current, shown.total, shown.percent) == ("upload", None, None, 0)


def test_a_step_that_goes_on_is_no_longer_failed() -> None:
    shown = step(scene(progress(40), event("progress", failed=True, error="x"), progress(41)))

    assert (shown.is_failed, shown.error) == (False, None)


def test_steps_are_in_the_order_in_which_they_began() -> None:
    told = scene(
        progress(1, step="z", at=0), progress(1, step="a", at=1), progress(2, step="z", at=2)
    )

    assert [shown.name for shown in told.attempt.steps] == ["z", "a"]


def test_ranks_of_one_step_share_equally_and_their_numbers_add_up() -> None:
    told = scene(started(0), progress(0, 50, "train", at=0), progress(10, 50, "train", at=10)).says(
        started(1), progress(0, 100, "train", at=0), progress(80, 100, "train", at=10), by="p1"
    )

    assert (step(told).current, step(told).total, step(told).percent) == (90, 150, 50)
    assert step(told).rate == pytest.approx(9)
    assert step(told).eta_seconds == 40, "the slowest rank decides"
    assert [rank.steps[0].percent for rank in told.attempt.ranks] == [20, 80]
    assert told.attempt.overall_percent == 50


def test_reporting_the_same_again_is_not_beginning_again() -> None:
    told = scene(progress(30, step="a"), progress(80, at=0), progress(80, at=60))

    assert told.attempt.steps[1].started == START


def test_a_step_that_begins_again_forgets_its_pace() -> None:
    told = scene(progress(80, at=0), progress(10, at=60), progress(20, at=70))

    assert (step(told).started, step(told).rate) == (START + 60 * SECOND, 1)


def test_a_thousand_steps_are_kept_and_the_reports_of_others_counted() -> None:
    told = scene(
        *(progress(1, step=f"file-{n}") for n in range(1003)), progress(2, step="file-1002")
    )

    assert len(told.attempt.steps) == 1000
    assert sum(one.left_out for one in told.attempt.quotas) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"current": 2, "total": 1},
        {"current": -1, "total": 1},
        {"current": 0, "total": 0},
        {"current": "1", "total": 2},
        {"current": True, "total": 2},
        {"current": 1},
        {"failed": "yes"},
        {"current": 1, "total": 2, "step": 3},
        {"current": 1, "total": 2, "step": "s" * 513},
        {"failed": True, "error": {}},
    ],
)
def test_impossible_progress_is_parked(fields: dict[str, object]) -> None:
    told = scene(progress(1), event("progress", **fields))

    assert told.attempt.counts == {"progress": 1}
    assert len(told.parked) == 1
    assert told.attempt.overall_percent == 1
