"""At a moment: how a run stood before, by a position or by a time."""

from __future__ import annotations

from datetime import UTC, datetime

from synapse_stream import JobStream, open_run


def test_the_state_at_any_event_of_the_run() -> None:
    with open_run("job-42") as ctx:
        for epoch in (1, 2, 3, 4):
            ctx.set_progress(epoch, 4, step="training")
    job = JobStream("job-42")
    moments = [one.position for one in job.read() if one.event.type == "progress"]

    seen = [job.state(at=position) for position in moments]

    assert [state and state.latest.overall_percent for state in seen] == [25.0, 50.0, 75.0, 99.9]
    assert [state and state.latest.is_over for state in seen] == [False] * 4


def test_the_state_at_a_time() -> None:
    before = datetime.now(UTC)
    with open_run("job-42"):
        pass
    job = JobStream("job-42")
    after = datetime.now(UTC)

    assert job.state(at=before) is None
    state = job.state(at=after)
    assert state is not None
    assert state.latest.is_over
