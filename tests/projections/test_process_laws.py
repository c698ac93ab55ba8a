"""Laws of processes that name one another: the order between producers does not matter."""

from __future__ import annotations

import random
from itertools import permutations
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.folding import canonical
from consumers.views.run_state.fold import RunStateView
from synapse_stream.models import RunStatus
from tests.support.events import asked, ended, lost, message, progress, resumed, started
from tests.support.folding import VIEWS, Scene
from tests.support.strategies import any_events, placed_events

if TYPE_CHECKING:
    from synapse_stream.ports.job_view import JobView

each_view = pytest.mark.parametrize("view", VIEWS)


def in_order(parts: dict[str, list[dict[str, Any]]], order: tuple[str, ...]) -> Scene:
    """Return the stream in which each producer's batch comes as the order says."""
    told = Scene()
    for name in order:
        told.says(*parts[name], by=name)
    return told


def _canonical(told: Scene, view: type[JobView], without: tuple[str, ...] = ()) -> Any:
    """Return the content of a fold without what depends on the order between producers."""
    document = told.fold(view).document()
    content = orjson.loads(canonical.of_document(document, view.by_position))
    for attempt in content["view"]["attempts"].values():
        for name in without:
            del attempt[name]
    return content


@pytest.mark.parametrize("order", list(permutations(["p0", "p1", "other"])))
def test_the_order_between_names_does_not_matter(order: tuple[str, ...]) -> None:
    """The old name's tail was another's: it may be folded before or after the new name."""
    parts = {
        "p0": [started(at=0), message("a", at=1), ended("failed", at=2), lost(at=3)],
        "p1": [resumed("p0", 1, at=4), progress(1, at=5), asked(at=6), message("b", at=7)],
        "other": [started(1, at=0), ended(rank=1, at=9)],
    }
    told = in_order(parts, order)
    known = in_order(parts, ("p0", "p1", "other"))

    assert told.attempt.status is RunStatus.RUNNING
    assert told.attempt.lost == []
    assert _canonical(told, RunStateView) == _canonical(known, RunStateView)


@each_view
@given(
    producers=st.lists(placed_events(), min_size=2, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_any_order_of_producers_leaves_nothing_out(
    view: type[JobView], producers: list[list[dict[str, Any]]], seed: int
) -> None:
    """Whoever goes on for whom, and in whatever order: no event is dropped, and all can be read."""
    order = list(range(len(producers)))
    random.Random(seed).shuffle(order)
    told = Scene()
    for number in order:
        for one in producers[number]:
            told.says(one, by=f"p{number}")
    told.fold(view)

    state = told.state if told.entries else None
    counted = sum(attempt.events for attempt in state.attempts) if state else 0
    assert counted == sum(map(len, producers))
    for attempt in state.attempts if state else ():
        assert attempt.completeness.waiting_count >= len(attempt.completeness.waiting)
        assert isinstance(attempt.notes, list)


@given(before=any_events, behind=any_events, after=any_events, rest=any_events)
def test_however_a_name_is_taken_the_run_stands_as_its_process_says(
    before: list[dict[str, Any]],
    behind: list[dict[str, Any]],
    after: list[dict[str, Any]],
    rest: list[dict[str, Any]],
) -> None:
    """Another's endings under the old name leave no trace, in whatever order names are folded."""
    before, behind, after, rest = (
        [one for one in part if one["type"] not in {"run_started", "joined", "resumed"}]
        for part in (before, behind, after, rest)
    )
    endings = {"end", "producer_lost", "terminating"}
    own = [started(at=0), *(one for one in before if one["type"] not in endings)]
    foreign = [
        {**one, "rank": 0} if one["type"] in endings else one
        for one in behind
        if one["type"] not in {"progress", "action", "plan", "loss"}
    ]
    new = [resumed("p0", len(own) - 1, at=1), *after, *rest]
    cut = 1 + len(after)
    streams = []
    for parts in (
        [("p0", own), ("p0", foreign), ("p1", new)],
        [("p0", own), ("p1", new), ("p0", foreign)],
        [("p0", own), ("p1", new[:cut]), ("p0", foreign), ("p1", new[cut:])],
    ):
        told = Scene()
        for name, events in parts:
            if events:
                told.says(*events, by=name)
        streams.append(_canonical(told, RunStateView, without=("first", "last")))

    assert streams[0] == streams[1] == streams[2]
