"""Replay: a run once more, into another job, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream import JobStream, open_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.commands import Said


def test_a_replayed_run_says_the_same(command: Callable[..., Said]) -> None:
    with open_run("job-42") as ctx:
        ctx.log_message("hello")
        ctx.set_metrics({"loss": 0.5})

    assert command("replay", "job-42", "--to", "job-43", "--speed", "max").code == 0

    first, again = (list(JobStream(job).read()) for job in ("job-42", "job-43"))
    assert [one.event for one in again[1:]] == [one.event for one in first[1:]]
    assert again[0].event.labels == {"replay_of": "job-42"}  # type: ignore[attr-defined]
