"""Whatever is reported: the whole lies between 0 and 100, and falls only where it has to."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.told import told as told_of
from tests.support.events import action, ended, plan, progress, started
from tests.support.folding import scene
from tests.support.strategies import placed_events

if TYPE_CHECKING:
    from consumers.views.run_state.told import Told
    from synapse_stream.ports.views import Attempt
    from tests.support.folding import Scene

seconds = st.floats(0.01, 10_000)
_ROUNDED = 0.05  # percent: times are whole µs, and a step may take no more than 10 ms
works = st.lists(st.tuples(st.integers(1, 6), seconds), min_size=1, max_size=5)
"""Steps: of how many pieces, and how long each of them takes."""


def story(work: list[tuple[int, float]], *, begin: float = 0, actions: bool = False) -> list[Any]:
    """Return what a run reports that does one step after the other, at a steady pace each."""
    told, at = [], begin
    for number, (pieces, each) in enumerate(work):
        name = f"step {number}"
        if actions:
            told.append(action(name, "running", at=at))
        told.append(progress(0, pieces, None if actions else name, at=at))
        for piece in range(1, pieces + 1):
            at += each
            told.append(progress(piece, pieces, None if actions else name, at=at))
        if actions:
            told.append(action(name, "completed", at=at))
    return told


def looks(events: list[Any], *before: dict[str, Any]) -> list[Attempt]:
    """Return the run after each of its events."""
    told = scene(started(at=0), *before)
    return [told.says(event).attempt for event in events]


def told_beside(told: Scene) -> Told | None:
    """Return what stands beside the document, for finding runs."""
    document = told.fold(RunStateView).document()
    return told_of(document, orjson.loads(document))


@given(work=works, total=st.sampled_from([1, 3, 7]))
def test_a_run_is_found_by_the_percent_that_it_shows(
    work: list[tuple[int, float]], total: int
) -> None:
    told = scene(started(at=0))
    for rank, (current, _) in enumerate(work[:total]):
        told.says(progress(current, 7, "fit" if total > 1 else None, at=rank), by=f"p{rank}")
        beside = told_beside(told)
        assert beside is not None
        assert beside.percent == told.state.latest.overall_percent


@given(producers=st.lists(placed_events(), min_size=1, max_size=3))
def test_the_whole_is_a_share_and_only_what_is_completed_is_done(
    producers: list[list[dict[str, Any]]],
) -> None:
    told = scene(started())
    for number, events in enumerate(producers):
        for one in events:
            told.says(one, by=f"p{number}")

    for run in told.state.attempts:
        done, left = run.overall_percent, run.eta_seconds
        assert done is None or 0 <= done <= 100
        assert done != 100 or run.status == "completed"
        assert left is None or (left > 0 and isfinite(left) and not run.status.is_terminal)
        assert (left is None) == (run.eta_time is None)
    beside = told_beside(told)
    assert beside is not None
    assert beside.percent == told.state.latest.overall_percent


@given(work=works, weights=st.lists(st.floats(0.1, 100), min_size=5, max_size=5), how=st.booleans())
def test_what_has_a_weight_never_falls_back(
    work: list[tuple[int, float]], weights: list[float], *, how: bool
) -> None:
    names = [f"step {number}" for number in range(len(work))]
    planned = plan(dict(zip(names, weights, strict=False)), at=0)
    pending = [action(name, "pending", at=0) for name in names] if how else []

    seen = [
        run.overall_percent or 0.0 for run in looks(story(work, actions=how), planned, *pending)
    ]

    assert seen == pytest.approx(sorted(seen))
    assert seen[-1] == 99.9


@given(work=works, how=st.booleans())
def test_the_second_attempt_knows_how_long_all_takes(
    work: list[tuple[int, float]], *, how: bool
) -> None:
    whole = sum(pieces * each for pieces, each in work)
    names = [f"step {number}" for number in range(len(work))]
    first = story(work, actions=how)
    told = scene(started(at=0), *first, ended("failed", at=whole))
    begin = 2 * whole
    named = [action(name, "pending", at=begin) for name in names]
    planned = named if how else [plan(dict.fromkeys(names), at=begin)]
    told.says(started(at=begin), *planned, by="again")

    for one in story(work, begin=begin, actions=how):
        run = told.says(one, by="again").attempt
        passed = (run.last_time - run.started) / 1e6
        assert run.overall_percent == pytest.approx(min(99.9, 100 * passed / whole), abs=1)
        assert not run.eta_is_at_least
        assert (run.eta_seconds or 0) == pytest.approx(whole - passed, rel=0.05, abs=0.05 * whole)


@given(work=works)
def test_a_run_never_looks_further_than_its_time_says_while_steps_get_longer(
    work: list[tuple[int, float]],
) -> None:
    longer = sorted(work, key=lambda one: one[0] * one[1])
    whole = sum(pieces * each for pieces, each in longer)
    planned = plan(dict.fromkeys(f"step {number}" for number in range(len(longer))), at=0)
    for run in looks(story(longer), planned):
        count = len({step.name for step in run.steps if step.current})
        passed = (run.last_time - run.started) / 1e6
        assert run.overall_percent is not None
        assert run.overall_percent >= min(99.8, 100 * passed / whole) - _ROUNDED
        assert run.overall_percent <= 100 * count / len(longer) + _ROUNDED
