"""Read: every event stands at a position, and reading goes on behind one."""

from __future__ import annotations

from synapse_stream import JobStream, Position, open_run


def test_events_come_in_order_each_at_its_position() -> None:
    with open_run("job-42") as ctx:
        ctx.set_metrics({"loss": 0.5})
        ctx.log_message("hello")

    recorded = list(JobStream("job-42").read())

    assert [one.event.type for one in recorded] == ["run_started", "metrics", "message", "end"]
    assert [one.position for one in recorded] == sorted(one.position for one in recorded)
    assert recorded[1].event.values == {"loss": 0.5}  # type: ignore[attr-defined]
    assert {one.producer for one in recorded} == {recorded[0].producer}


def test_reading_after_a_position_leaves_that_event_out() -> None:
    with open_run("job-42") as ctx:
        ctx.log_message("one")
        ctx.log_message("two")
    job = JobStream("job-42")
    first, second, *rest = [one.position for one in job.read()]

    assert [one.position for one in job.read(after=second)] == rest
    assert [one.position for one in job.read(until=second)] == [first, second]


def test_a_position_is_written_down_and_read_again() -> None:
    with open_run("job-42"):
        pass
    position = next(JobStream("job-42").read()).position

    assert Position.parse(str(position)) == position


def test_a_job_that_nobody_reported_to_is_empty() -> None:
    assert list(JobStream("nobody").read()) == []
