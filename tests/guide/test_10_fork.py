"""Fork: child processes report to their parent's run, each as a producer of its own."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

from synapse_stream import JobStream, open_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream import RuntimeContext


def load(ctx: RuntimeContext, part: int) -> None:
    ctx.log_message(f"part {part} is loaded")


def test_children_report_to_the_run_and_end_without_ending_it(consume: Callable[[], None]) -> None:
    fork = multiprocessing.get_context("fork")
    with open_run("job-42") as ctx:
        children = [fork.Process(target=load, args=(ctx, part)) for part in (1, 2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        ctx.log_message("all parts are loaded")
    consume()
    job = JobStream("job-42")

    contents = [message.content for message in job.messages()]
    assert sorted(contents[:2]) == ["part 1 is loaded", "part 2 is loaded"]
    assert contents[2] == "all parts are loaded"
    assert len({one.producer for one in job.read()}) == 3
    state = job.state()
    assert state is not None
    assert state.latest.completeness.status == "complete"
