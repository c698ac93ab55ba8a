"""How far a run is as a whole: what is to come counts, and only what is completed is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.events import SECOND, START, action, ended, event, lost, plan, progress, started
from tests.support.folding import scene

if TYPE_CHECKING:
    from synapse_stream.ports.views import Attempt

SIX = ["fetch", "clean", "split", "train", "check", "export"]


def run_of(*events: dict[str, Any]) -> Attempt:
    return scene(started(at=0), *events).attempt


def pipeline(*after: dict[str, Any]) -> Attempt:
    """Return a run of six actions, of which the first has taken 10 s and is completed."""
    named = [action(name, "pending", at=0) for name in SIX]
    first = [
        action("fetch", "running", at=0),
        *(progress(n, 10, at=n) for n in range(11)),
        action("fetch", "completed", at=10),
    ]
    return run_of(*named, *first, *after)


def test_without_steps_and_actions_nothing_is_known() -> None:
    assert run_of().overall_percent is None
    assert run_of(ended()).overall_percent == 100


def test_the_only_step_is_the_whole_run_but_for_its_end() -> None:
    assert run_of(progress(2, 3)).overall_percent == pytest.approx(200 / 3)
    assert run_of(progress(100)).overall_percent == 99.9
    assert run_of(progress(100), ended()).overall_percent == 100


@pytest.mark.parametrize("end", [ended("failed"), ended("cancelled"), lost()])
def test_a_run_that_did_not_complete_is_never_done(end: dict[str, Any]) -> None:
    assert run_of(progress(97), end).overall_percent == 97
    assert run_of(progress(100), end).overall_percent == 99.9
    assert run_of(progress(100), end).eta_seconds is None


def test_a_completed_run_is_done_even_when_it_did_not_say_so() -> None:
    assert run_of(progress(97), ended()).overall_percent == 100
    assert run_of(plan({"a": 1, "b": 1}), progress(5, step="a"), ended()).overall_percent == 100


def test_a_completed_run_in_which_a_step_failed_is_not_done() -> None:
    failed = event("progress", failed=True)
    assert run_of(progress(40), failed, ended()).overall_percent == 40
    assert run_of(progress(100), failed, ended()).overall_percent == 99.9


def test_a_pipeline_is_a_sixth_done_after_the_first_of_six_actions() -> None:
    run = pipeline()

    assert run.overall_percent == pytest.approx(100 / 6)
    assert not run.overall_is_at_least


def test_a_step_without_a_name_is_one_of_its_own_in_every_action() -> None:
    begun = [action("clean", "running", at=10), progress(0, 20, at=10), progress(10, 20, at=15)]

    assert pipeline(*begun).overall_percent == pytest.approx(25)
    ahead = [action("clean", "running", at=10), progress(10, 10, at=20)]
    assert pipeline(*ahead).overall_percent == pytest.approx(200 / 6)


def test_a_failed_pipeline_stays_where_it_failed() -> None:
    failure = [
        action("clean", "running", at=10),
        progress(4, 10, at=14),
        action("clean", "failed", at=15),
        *(action(name, "skipped", at=15) for name in SIX[2:]),
    ]

    before, after = pipeline(*failure), pipeline(*failure, ended("failed", at=15))

    assert before.overall_percent == after.overall_percent == pytest.approx(140 / 6)


def test_an_action_that_is_left_out_is_nothing_to_wait_for() -> None:
    left_out = [action(name, "skipped", at=10) for name in SIX[1:5]]

    assert pipeline(*left_out).overall_percent == pytest.approx(50)


def test_an_action_that_does_not_say_how_far_it_is_makes_the_run_at_least_so_far() -> None:
    run = pipeline(action("clean", "running", at=10), event("heartbeat", at=25))

    assert run.overall_is_at_least
    assert run.overall_percent == pytest.approx(100 * 10 / (10 + 15 + 4 * 10))


def test_steps_that_were_announced_count_before_they_begin() -> None:
    told = [plan({"load": 1, "train": 20}, at=0), progress(10, 10, "load", at=2)]

    assert run_of(*told).overall_percent == pytest.approx(100 / 21)
    assert run_of(*told, progress(4, 100, "train", at=9)).overall_percent == pytest.approx(180 / 21)
    assert [(s.name, s.current) for s in run_of(*told).steps] == [("load", 10), ("train", None)]


def test_a_new_weight_stands() -> None:
    told = [plan({"load": 1, "train": 20}), progress(1, 1, "load"), plan({"train": 1})]

    assert run_of(*told).overall_percent == 50


def test_steps_without_a_weight_weigh_by_the_time_that_they_take() -> None:
    named = [progress(0, 100, step, at=0) for step in ("load", "train")]
    loaded = [progress(50, 100, "load", at=1), progress(100, 100, "load", at=2)]
    trained = [progress(2, 100, "train", at=32), progress(4, 100, "train", at=62)]

    run = run_of(*named, *loaded, *trained)

    assert run.overall_percent == pytest.approx(100 * 62 / 1502)
    assert run.eta_seconds == pytest.approx(1440, rel=0.01)
    assert run.eta_time == START + 62 * SECOND


def test_a_step_that_has_not_moved_for_long_weighs_what_it_has_taken() -> None:
    loaded = [progress(0, 2, "load", at=0), progress(2, 2, "load", at=2)]
    waiting = [progress(0, 100, "train", at=2), event("heartbeat", at=202)]

    assert run_of(*loaded, *waiting).overall_percent == pytest.approx(100 * 2 / 202)


def test_a_new_step_that_nobody_announced_counts_from_then_on() -> None:
    loaded = [progress(1, 2, "load", at=1), progress(2, 2, "load", at=2)]

    assert run_of(*loaded).overall_percent == 99.9
    on = run_of(*loaded, progress(0, 50, "train", at=2), progress(1, 50, "train", at=22))
    assert on.overall_percent is not None
    assert on.overall_percent < 3


def test_what_is_given_in_an_action_is_of_its_steps() -> None:
    told = [
        action("prepare", "pending", at=0),
        action("fit", "pending", at=0),
        plan({"prepare": 1, "fit": 3}, at=0),
        action("prepare", "running", at=0),
        action("prepare", "completed", at=5),
        action("fit", "running", at=5),
        plan({"load": 1, "train": 4}, at=5),
        progress(1, 1, "load", at=6),
    ]

    assert run_of(*told).overall_percent == pytest.approx(100 * (1 + 3 * 0.2) / 4)


def test_a_step_that_was_announced_for_the_run_may_come_in_an_action() -> None:
    told = [plan({"load": 1, "train": 4}), action("fit", "running"), progress(1, 1, "load")]

    assert run_of(*told, progress(1, 2, "train")).overall_percent == pytest.approx(60)


def test_an_earlier_attempt_tells_how_long_each_part_takes() -> None:
    first = scene(
        started(at=0),
        *(action(name, "pending", at=0) for name in ("load", "train")),
        *(action("load", "running", at=0), action("load", "completed", at=1)),
        *(action("train", "running", at=1), action("train", "completed", at=100)),
        ended("failed", at=100),
    )
    again = first.says(
        started(at=200),
        *(action(name, "pending", at=200) for name in ("load", "train")),
        *(action("load", "running", at=200), action("load", "completed", at=201)),
        by="p1",
    ).attempt

    assert again.number == 2
    assert again.overall_percent == pytest.approx(1)
    assert (again.eta_seconds, again.eta_is_at_least) == (99, False)


def test_what_nothing_is_known_of_makes_the_time_left_the_least() -> None:
    told = [
        plan({"load": None, "train": None}, at=0),
        *(progress(n, 4, "load", at=n) for n in (0, 1)),
    ]
    run = run_of(*told)

    assert run.eta_seconds == pytest.approx(3)
    assert run.eta_is_at_least
    weighed = run_of(plan({"load": 1, "train": 5}, at=0), *told[1:])
    assert weighed.eta_seconds == pytest.approx(23)
    assert not weighed.eta_is_at_least


def test_what_goes_on_at_once_does_not_take_as_long_as_one_after_the_other() -> None:
    at_once = [progress(n * 10, 100, step, at=n) for n in range(6) for step in ("a", "b")]

    assert run_of(*at_once).eta_seconds == pytest.approx(5, rel=0.25)


def test_one_that_goes_on_from_a_checkpoint_does_not_count_what_was_done_before() -> None:
    run = run_of(progress(90, at=5), progress(91, at=65))

    assert run.eta_seconds == pytest.approx(540)


@pytest.mark.parametrize("weight", [0, -1, "heavy", True])
def test_an_impossible_plan_is_parked(weight: Any) -> None:
    told = scene(started(), plan({"load": weight}), plan({"load": 1}))

    assert [step.name for step in told.attempt.steps] == ["load"]
    assert len(told.parked) == 1
