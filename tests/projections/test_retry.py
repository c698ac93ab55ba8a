"""A parked event that is tried again: it takes its place, and nothing newer falls back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consumers.folding.fold import JobFold
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.reading import run_state
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.entries.position import Position
from synapse_stream.models import ActionStatus, RunStatus
from tests.support.events import START, ended, event, message, metrics, progress, started
from tests.support.folding import Scene, scene
from tests.support.projecting import OlderMessageFeed, OlderMetricHistory, OlderRunState

if TYPE_CHECKING:
    from consumers.folding.port import Parked
    from synapse_stream.ports.job_view import JobView
    from synapse_stream.ports.views import Attempt, RunState

NEW: dict[str, Any] = {"is_new": True}
"""What only the views of today can apply."""


def parked_by(told: Scene, view: type[JobView]) -> tuple[JobFold, Parked]:
    fold = told.fold(view)
    (parked,) = told.parked
    return fold, parked


def updated(fold: JobFold, view: type[JobView]) -> JobFold:
    """Return the fold as the process goes on with it that was started after an update."""
    return JobFold(view, fold.job_id, fold.document())


def state_of(fold: JobFold) -> RunState:
    found = run_state("job-1", fold.document())
    assert found is not None
    return found


def latest(fold: JobFold) -> Attempt:
    return state_of(fold).latest


def test_after_an_update_the_event_is_folded_at_its_old_position() -> None:
    told = scene(started(rank=3), message("first"), message("second", **NEW)).says(message("third"))
    older, parked = parked_by(told, OlderMessageFeed)
    older.rows()

    assert older.retry(parked) == "message is not known yet"
    assert not older.has_changed
    fold = updated(older, MessageFeedView)
    assert fold.retry(parked) is None

    assert fold.has_changed
    (row,) = fold.rows()
    assert (row.content, row.rank, row.attempt) == ("second", 3, 1)
    assert Position(row.ms, row.seq, row.line) == parked.position == Position(1000, 0, 2)


def test_a_point_that_was_parked_joins_its_series() -> None:
    told = scene(metrics({"loss": 1}), metrics({"loss": 2}, **NEW), metrics({"loss": 3}))
    older, parked = parked_by(told, OlderMetricHistory)
    fold = updated(older, MetricHistoryView)

    assert fold.retry(parked) is None

    (before,), (points,) = older.rows().values(), fold.rows().values()
    assert (before.values.tolist(), points.values.tolist()) == ([1, 3], [2])
    assert points.number > before.number
    assert (points.ms[0], points.seq[0], points.index[0]) == parked.position


def test_an_end_that_was_parked_ends_the_run() -> None:
    told = scene(started(), ended(**NEW)).says(message("late"), ms=5000)
    older, parked = parked_by(told, OlderRunState)
    before = state_of(older)
    fold = updated(older, RunStateView)

    assert fold.retry(parked) is None

    after = state_of(fold)
    assert (before.status, after.status) == (RunStatus.RUNNING, RunStatus.COMPLETED)
    assert after.position == before.position
    assert after.latest.last_sign_ms == before.latest.last_sign_ms == 5000
    assert after.latest.counts == {"run_started": 1, "end": 1, "message": 1}


@pytest.mark.parametrize(
    ("newer", "shown"), [([progress(90, at=2)], 90), ([], 40)], ids=["reported since", "the last"]
)
def test_progress_that_was_parked_is_shown_unless_the_step_went_on(
    newer: list[dict[str, Any]], shown: float
) -> None:
    told = scene(started(), progress(40, at=1, **NEW), *newer, message("on", at=3))
    older, parked = parked_by(told, OlderRunState)
    fold = updated(older, RunStateView)

    assert fold.retry(parked) is None

    assert latest(fold).overall_percent == shown
    assert latest(fold).counts["progress"] == 1 + len(newer)


def test_an_action_that_was_parked_does_not_fall_back() -> None:
    running = event("action", name="train", status="running", at=1, **NEW)
    done = event("action", name="train", status="completed", at=2)
    older, parked = parked_by(scene(started(), running, done), OlderRunState)
    fold = updated(older, RunStateView)

    assert fold.retry(parked) is None

    (action,) = latest(fold).actions
    assert (action.status, action.ended) == (ActionStatus.COMPLETED, START + 2_000_000)


def test_a_run_whose_only_event_was_parked_begins_with_its_retry() -> None:
    older, parked = parked_by(scene(started(**NEW)), OlderRunState)
    fold = updated(older, RunStateView)

    assert fold.retry(parked) is None

    assert state_of(fold).position == parked.position
    assert latest(fold).last_sign_ms == 1000


def test_a_line_that_cannot_be_read_stays_parked() -> None:
    fold, parked = parked_by(Scene().sends(b"{\n", count=1), MessageFeedView)

    reason = fold.retry(parked)

    assert reason is not None
    assert reason == parked.reason
    assert reason.startswith("not JSON: ")


def test_an_entry_that_is_no_batch_stays_parked_and_says_so_once() -> None:
    fold = JobFold(MessageFeedView, "job-1", None)
    (parked,) = fold.apply(RecordedBatch(7, 0, None, "no field z", {}))

    reason = fold.retry(parked)

    assert reason == "cannot be folded by itself, fold the job anew: no field z"
    assert fold.retry(parked._replace(reason=reason)) == reason
    assert not fold.has_changed
