"""What a plugin feels of a server that is away: nothing in its calls, and no growing memory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psutil

from bench.calls import METRICS, PAUSE_SECONDS
from bench.figures import Bound, Row, percentile
from bench.fresh import in_fresh_process
from bench.stage import STEP, Stage, metric_values, time_calls
from synapse_stream import open_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream import RuntimeContext, Settings

MIB = 1024 * 1024
EVENTS_AWAY = 100_000


def rows(stage: Stage) -> Iterator[Row]:
    """p99 of set_metrics while the server is stopped, and memory while it is away."""
    with stage.run() as context:
        yield _p99(stage, context, "tight loop", stage.scale.calls, 0.0, Bound(2.0, on="ratio"))
        name = f"a call each {PAUSE_SECONDS * 1000:g} ms"
        yield _p99(stage, context, name, stage.scale.paced, PAUSE_SECONDS, None)
    yield _memory(stage)


def _p99(
    stage: Stage, context: RuntimeContext, name: str, count: int, pause: float, bound: Bound | None
) -> Row:
    running, stopped = [], []
    for _ in range(stage.scale.rounds):
        took = time_calls(context.set_metrics, METRICS.arguments(count), pause)
        assert context.flush(60)
        running.append(percentile(took, 0.99))
        with stage.stopped():
            took = time_calls(context.set_metrics, METRICS.arguments(count), pause)
        assert context.flush(60)
        stopped.append(percentile(took, 0.99))
    return Row(
        f"set_metrics, {name}, p99 with the server stopped",
        "µs",
        stopped,
        running,
        "running",
        bound,
    )


def _memory(stage: Stage) -> Row:
    rounds = max(2, stage.scale.rounds // 2)
    with stage.stopped():
        growth = [
            in_fresh_process(_growth, stage.settings(exit_wait_seconds=0), stage.new_job())
            for _ in range(rounds)
        ]
    what = f"memory of the plugin, {EVENTS_AWAY:,} events with the server away, growth at most"
    return Row(what, "MiB", growth, bound=Bound(64, on="ours"))


def _growth(settings: Settings, job_id: str) -> float:
    """Report with the server away; return by how many MiB the resident memory grew at most."""
    logging.getLogger("synapse_stream").setLevel(logging.ERROR)  # the outage is meant
    process = psutil.Process()
    with open_run(job_id, env={}, settings=settings) as context:
        before = highest = process.memory_info().rss
        for i, values in enumerate(metric_values(EVENTS_AWAY)):
            context.set_metrics(values, STEP)
            if i % 1_000 == 999:
                highest = max(highest, process.memory_info().rss)
    return float(highest - before) / MIB
