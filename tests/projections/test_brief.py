"""What a list shows of a large job is what it would show of it whole, and little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from consumers.api.shapes import summary
from consumers.views.run_state import brief
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.reading import run_state
from synapse_stream.ports.views import Beside
from tests.support.events import ended, event, progress, started
from tests.support.folding import Scene, scene
from tests.support.strategies import placed_events

if TYPE_CHECKING:
    from synapse_stream.ports.views import RunState


def both(told: Scene) -> tuple[RunState | None, RunState | None, int]:
    """Return the state that a list shows of a large job, the whole one, and bytes of the former."""
    document = told.fold(RunStateView).document()
    text = brief.write(orjson.loads(document))
    whole = run_state("job-1", document, Beside(3))
    return (None, whole, 0) if text is None else (brief.read("job-1", text, 3), whole, len(text))


@given(producers=st.lists(placed_events(), min_size=1, max_size=3), now_ms=st.integers(0, 200_000))
def test_a_list_shows_the_same_of_it(producers: list[list[dict[str, Any]]], now_ms: int) -> None:
    told = Scene()
    for number, events in enumerate(producers):
        for one in events:
            told.says(one, by=f"p{number}")

    short, whole, _ = both(told)

    assert (short is None) == (whole is None)
    if short is not None and whole is not None:
        assert summary(short, now_ms, None) == summary(whole, now_ms, None)


def test_it_is_small_whatever_the_job_has() -> None:
    labels = {f"label {number}": "x" * 1_000 for number in range(10_000)}
    told = scene(started(labels=labels))
    for rank in range(1, 40):
        steps = (progress(1, step=f"step {step}") for step in range(25))
        told.says(started(rank), *steps, by=f"rank {rank}")
    for attempt in range(300):
        told.says(started(), ended("failed", error="E" * 100_000), by=f"attempt {attempt}")

    short, whole, size = both(told)

    assert short is not None
    assert whole is not None
    assert size < 20_000
    assert (short.attempt_count, len(short.attempts)) == (301, 1)
    assert short.latest.error == "E" * 2_000


def test_labels_that_are_long_are_cut() -> None:
    told = scene(started(labels={"a": "x" * 1_000, "b": {"$int": "9007199254740993"}, "c": 1}))

    short, _, _ = both(told)

    assert short is not None
    assert short.latest.labels == {"a": "…", "b": 9007199254740993, "c": 1}


def test_one_of_another_version_is_not_shown() -> None:
    text = brief.write(orjson.loads(scene(event("heartbeat")).fold(RunStateView).document()))
    assert text is not None

    current = b'"v":%d' % RunStateView.version
    assert brief.read("job-1", text.replace(current, b'"v":2')) is None
