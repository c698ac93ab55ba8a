"""The SDK's executors and Tune's trials on a real Ray with one CPU."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.sdk.test_drivers import A_TRAINING, events, run, told

if TYPE_CHECKING:
    from synapse_stream import Settings

pytestmark = pytest.mark.timeout(500)


def test_actors_jobs_workers_and_trials_report_to_their_jobs(settings: Settings) -> None:
    done = run(settings, sys.executable, "-m", "tests.sdk.ray_plugin", SYNAPSE_STREAM_ENABLE="1")

    assert done.returncode == 0, done.stderr
    actor: list[Any] = events(settings, "actor-1")
    assert told(actor) == A_TRAINING * 2
    assert [event.status for event in actor if event.type == "end"] == ["completed", "failed"]
    assert told(events(settings, "job-1")) == A_TRAINING
    _look_at_trials(events(settings, "tune-1"))


def _look_at_trials(found: list[Any]) -> None:
    starts = [event for event in found if event.type == "run_started"]
    ends = {event.rank: event for event in found if event.type == "end"}
    trials = {event.rank: event.labels.get("trial_id", "")[-6:] for event in starts}
    assert trials == {0: "", 1: "_00000", 2: "_00001", 3: "_00002"}
    assert {event.rank: event.params["lr"] for event in starts[1:]} == {1: 0.1, 2: 0.2, 3: -1.0}
    status = {rank: str(end.status) for rank, end in ends.items()}
    assert status == {None: "None", 0: "completed", 1: "completed", 2: "completed", 3: "failed"}
    assert "a rate below 0" in ends[3].error
    losses = [event.values["loss"] for event in found if event.type == "metrics"]
    assert losses == [0.1, 0.1 / 2, 0.1 / 3, 0.2, 0.2 / 2, 0.2 / 3]
    assert next(event.content for event in found if event.type == "message") == "from a worker"
    assert {event.type for event in found} >= {"joined", "log", "progress"}
    assert ends[0].child_count == 4
