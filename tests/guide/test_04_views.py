"""Views: what consumers have made of the streams, ready to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream import JobStream, RunStatus, open_run

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_job_has_a_run_state_metric_histories_and_messages(consume: Callable[[], None]) -> None:
    with open_run("job-42", action="train") as ctx:
        for epoch in (1, 2, 3, 4):
            ctx.set_progress(epoch, 4, step="training")
            ctx.set_metrics({"loss": 1 / epoch}, step="training", x=epoch)
        ctx.log_message("half of the data is missing", context="warning")
    consume()
    job = JobStream("job-42")

    state = job.state()
    assert state is not None
    assert state.status is RunStatus.COMPLETED
    assert state.latest.action == "train"
    assert state.latest.overall_percent == 100.0
    assert state.latest.completeness.status == "complete"

    assert job.metric("loss").to_numpy()["value"].tolist() == [1.0, 1 / 2, 1 / 3, 1 / 4]
    assert [series.key.name for series in job.metrics()] == ["loss"]

    (message,) = job.messages(levels=["warning", "danger"])
    assert message.content == "half of the data is missing"


def test_a_job_that_runs_again_shows_its_latest_attempt(consume: Callable[[], None]) -> None:
    for loss in (0.5, 0.25):
        with open_run("job-42") as ctx:
            ctx.set_metrics({"loss": loss})
    consume()
    job = JobStream("job-42")

    state = job.state()
    assert state is not None
    assert [attempt.number for attempt in state.attempts] == [2, 1]
    assert job.metric("loss").to_numpy()["value"].tolist() == [0.25]
    assert job.metric("loss", attempt=1).to_numpy()["value"].tolist() == [0.5]
