"""Tail: follow a run live, to its end."""

from __future__ import annotations

import threading

from synapse_stream import JobStream, open_run


def test_a_tail_ends_with_the_run() -> None:
    def report() -> None:
        with open_run("job-42") as ctx:
            for epoch in range(3):
                ctx.set_metrics({"loss": 1.0}, x=epoch)

    plugin = threading.Thread(target=report)
    plugin.start()
    seen = [one.event.type for one in JobStream("job-42").tail()]
    plugin.join()

    assert seen == ["run_started", "metrics", "metrics", "metrics", "end"]


def test_who_comes_back_goes_on_behind_what_was_seen() -> None:
    with open_run("job-42") as ctx:
        ctx.log_message("seen")
        ctx.flush()
        *_, last = JobStream("job-42").read()
        ctx.log_message("new")

    assert [one.event.type for one in JobStream("job-42").tail(after=last.position)] == [
        "message",
        "end",
    ]
