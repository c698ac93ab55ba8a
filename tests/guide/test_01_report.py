"""Report: open a run, say how far it is, leave it."""

from __future__ import annotations

import pytest

from synapse_stream import JobStream, LogLevel, RunEnded, open_run


def types_of(job_id: str) -> list[str]:
    return [recorded.event.type for recorded in JobStream(job_id).read()]


def test_a_run_reports_what_it_does() -> None:
    with open_run("job-42", action="train", params={"epochs": 2}) as ctx:
        ctx.log_message("Starting", context="info")
        for epoch in (1, 2):
            ctx.set_progress(epoch, 2, step="training")
            ctx.set_metrics({"loss": 1 / epoch}, step="training", x=epoch)
        ctx.log_dev_event("memory", {"mib": 123})
        ctx.log("checkpoint", {"epoch": 2}, file="/data/model.pt")

    assert types_of("job-42") == [
        "run_started", "message",
        "progress", "metrics", "progress", "metrics",
        "dev_event", "log", "end",
    ]  # fmt: skip


def test_leaving_the_block_ends_the_run() -> None:
    with open_run("good") as ctx:
        pass
    with pytest.raises(ZeroDivisionError), open_run("bad"):
        _ = 1 / 0

    for job_id, status in {"good": "completed", "bad": "failed"}.items():
        *_, end = JobStream(job_id).read()
        assert end.event.status == status  # type: ignore[attr-defined]
    with pytest.raises(RunEnded):
        ctx.log_message("too late")


def test_track_reports_progress_by_itself() -> None:
    with open_run("job-42") as ctx:
        assert list(ctx.track("abc", step="letters")) == ["a", "b", "c"]

    assert types_of("job-42").count("progress") >= 2


def test_a_wrong_value_costs_itself_and_never_the_training() -> None:
    with open_run("job-42") as ctx:
        ctx.set_metrics({"loss": None})
        ctx.log_message("goes on", context=LogLevel.SUCCESS)

    assert types_of("job-42") == ["run_started", "dev_event", "message", "end"]


def test_whoever_wants_to_know_at_once_is_strict() -> None:
    with open_run("job-42", strict=True) as ctx, pytest.raises(TypeError, match="loss"):
        ctx.set_metrics({"loss": "none"})
