"""A process that reports more than its quota: what it gives up, and who is told of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from synapse_stream import JobStream
from synapse_stream.cli.shared import wording
from synapse_stream.events.types import dump
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.settings import Settings
    from tests.support.leaving import Left

FLOOD = """
with open_run("job-1") as ctx:
    for number in range(40_000):
        ctx.set_metrics({"loss": number, "accuracy": -number}, step="training")
        if number % 1_000 == 999:
            ctx.set_progress(number + 1, 40_000, step="training")
            ctx.set_progress(number + 1, 40_000, step="reading")
            ctx.set_metrics({"best": number})
            ctx.log_message(f"{number} done")
            ctx.log_dev_event("seen", {"number": number})
"""
OFFERED = {"metrics": 40_040, "progress": 80, "message": 40, "dev_event": 40}
QUOTA = 10_000


def test_what_is_beyond_the_quota_is_coalesced_counted_and_said(
    run: Callable[..., Left], settings: Settings
) -> None:
    left = run(FLOOD, SYNAPSE_STREAM_QUOTA_BYTES_A_SECOND=str(QUOTA))

    assert left.code == 0, left.stderr
    said = [text for text in left.messages if "quota" in text]
    assert "more than its quota of 10,000 bytes a second" in said[-1]
    assert sum("reports more than its quota" in line for line in left.stderr.splitlines()) == 1
    recorded = Counter(event.type for event in left.events)
    losses = [event.model_dump() for event in left.of("loss")]
    shed = sum((Counter(loss["counts"]) for loss in losses), Counter())
    assert recorded["message"] == OFFERED["message"] + len(said)
    assert {kind: recorded[kind] + shed[kind] for kind in ("metrics", "progress", "dev_event")} == {
        kind: OFFERED[kind] for kind in ("metrics", "progress", "dev_event")
    }
    assert {loss["reason"] for loss in losses} == {
        "more was reported than the quota of a process allows"
    }
    assert sum(len(dump(event)) for event in left.events) < 3 * 60 * QUOTA
    metrics = [event.model_dump() for event in left.of("metrics")]
    newest = {name: value for event in metrics for name, value in event["values"].items()}
    assert newest == {"loss": 39_999, "accuracy": -39_999, "best": 39_999}
    project(settings)
    state = JobStream("job-1", settings).state()
    assert state is not None
    assert state.latest.completeness.shed == dict(shed)
    assert state.latest.completeness.reasons == {losses[0]["reason"]: shed.total()}
    assert wording.lacking(state.latest).endswith(losses[0]["reason"])
    bars = {event.step: event.model_dump()["current"] for event in left.of("progress")}
    assert bars == {"training": 40_000, "reading": 40_000}
