"""One form for what a store holds and what a fresh fold gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history import bodies, chunks
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.metric_history.rows import PointRows, begin_points
from consumers.views.run_state.fold import RunStateView
from tests.support import dumps
from tests.support.events import ended, message, metrics, progress, started
from tests.support.folding import VIEWS, Scene, scene

if TYPE_CHECKING:
    from synapse_stream.ports.job_view import JobView


def run(loss: float = 0.5, text: str = "Done") -> Scene:
    told = scene(started(), progress(1), metrics({"loss": loss, "acc": "NaN"}, x=1))
    return told.says(metrics({"loss": 0.25}), message(text, "success"), ended())


def again_with_other_ids(told: Scene) -> Scene:
    moved = Scene()
    moved.entries = [entry._replace(ms=entry.ms + 500, seq=7) for entry in told.entries]
    return moved


@pytest.mark.parametrize("view", VIEWS)
def test_the_same_stream_has_the_same_form_and_other_ids_another(view: type[JobView]) -> None:
    first = dumps.of_fold(run().fold(view))

    assert dumps.of_fold(run().fold(view)) == first
    assert dumps.of_fold(again_with_other_ids(run()).fold(view)) != first


@pytest.mark.parametrize("view", VIEWS)
def test_without_positions_the_ids_of_entries_make_no_difference(view: type[JobView]) -> None:
    first = dumps.of_fold(run().fold(view), positions=False)

    assert dumps.of_fold(again_with_other_ids(run()).fold(view), positions=False) == first


@pytest.mark.parametrize("positions", [True, False])
def test_any_other_content_has_another_form(positions: bool) -> None:
    def forms(told: Scene) -> list[bytes]:
        return [dumps.of_fold(told.fold(view), positions=positions) for view in VIEWS]

    state, history, feed = forms(run())

    assert forms(run(loss=0.6))[1] != history
    assert forms(run(text="done"))[2] != feed
    assert forms(run().says(progress(2)))[0] != state


def test_chunks_do_not_show_in_the_form_of_a_history() -> None:
    told = run()
    stored = PointRows()
    for key, points in told.points.items():
        stored[key] = begin_points(0)
        for chunk in chunks.encode(points):
            stored[key].extend(bodies.decode(chunk.body))

    assert stored.canonical() == dumps.of_fold(told.fold(MetricHistoryView))


def test_a_feed_and_a_history_without_anything_are_empty() -> None:
    nothing = scene(started())

    assert dumps.of_fold(nothing.fold(MessageFeedView)) == b""
    assert dumps.of_fold(nothing.fold(MessageFeedView), positions=False) == b""
    assert dumps.of_fold(nothing.fold(MetricHistoryView)) == b""
    assert dumps.of_fold(nothing.fold(RunStateView)) != b""
