"""Live streams over HTTP: how late events are, what many clients cost, what storms leave."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from bench.figures import Bound, Row, percentile
from bench.live import RATE, WARM_UP, paced
from bench.sse_clients import clients, storm
from bench.stage import STEP, Stage, metric_values
from synapse_stream.settings import PREFIX
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream import RuntimeContext

CROWD, CROWD_RATE = 1_000, 200
STORMS, STORM_CLIENTS = 100, 200
_FILES = 4_096


def rows(stage: Stage) -> Iterator[Row]:
    """Delay of one client, cost of a thousand, memory after storms."""
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    took = [_delays(stage, WARM_UP + stage.scale.paced) for _ in range(stage.scale.rounds)]
    for name, share, limit in (("p50", 0.5, 30), ("p99", 0.99, 150)):
        figures = [percentile(delays, share) for delays in took]
        what = f"set_metrics → SSE client, {RATE:,}/s, {name}"
        yield Row(what, "ms", figures, bound=Bound(limit, on="ours"))
    yield from _crowd(stage)
    yield _storms(stage)


def _delays(stage: Stage, events: int) -> list[float]:
    with (
        _reporting(stage) as (context, job_id),
        _api(stage) as (port, _),
        clients(port, job_id, 1, events) as one,
    ):
        one.wait()
        for values in paced(metric_values(events)):
            context.set_metrics(values, STEP)
        counts, delays = one.hear()
    assert counts == [events], f"{counts} of {events} events came"
    assert len(delays) == events
    return list(delays[WARM_UP:])


def _crowd(stage: Stage) -> Iterator[Row]:
    """Return what share of the events came, and the CPU time an event and client."""
    events = CROWD_RATE * (5 if stage.scale.rounds > 3 else 3)
    came, cost = [], []
    for _ in range(max(1, stage.scale.rounds // 2)):
        with (
            _reporting(stage) as (context, job_id),
            _api(stage) as (port, process),
            clients(port, job_id, CROWD, events) as crowd,
        ):
            crowd.wait()
            before = process.cpu_times()
            for values in paced(metric_values(events), CROWD_RATE):
                context.set_metrics(values, STEP)
            counts, _ = crowd.hear()
            after = process.cpu_times()
        seconds = after.user + after.system - before.user - before.system
        came.append(100 * sum(counts) / (CROWD * events))
        cost.append(1e6 * seconds / (CROWD * events))
    what = f"{CROWD:,} SSE clients, {CROWD_RATE} events/s"
    yield Row(f"{what}: delivered", "%", came, bound=Bound(100, on="ours", is_floor=True))
    yield Row(f"{what}: server CPU an event and client", "µs", cost, bound=Bound(5, on="ours"))


def _storms(stage: Stage) -> Row:
    """Return how much the memory grows from the 10th storm to the last."""
    sizes = []
    with _reporting(stage) as (_, job_id), _api(stage) as (port, process):
        for _ in range(STORMS):
            storm(port, job_id, STORM_CLIENTS)
            sizes.append(process.memory_info().rss)
    growth = 100 * (sizes[-1] / sizes[STORMS // 10 - 1] - 1)
    what = f"memory of the API from the {STORMS // 10}th to the {STORMS}th storm of {STORM_CLIENTS}"
    return Row(f"{what} clients: growth", "%", [growth], bound=Bound(5, on="ours"))


@contextmanager
def _reporting(stage: Stage) -> Iterator[tuple[RuntimeContext, str]]:
    """Open a run that the server knows of."""
    with stage.run() as context:
        assert context.flush(10)
        assert context.job_id is not None
        yield context, context.job_id


@contextmanager
def _api(stage: Stage) -> Iterator[tuple[int, psutil.Process]]:
    """Start the API in a process of its own."""
    port = free_port()
    shown = stage.settings().model_dump(exclude_none=True)
    environ = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
    command = [sys.executable, "-m", "consumers.api", "--no-token", "--port", str(port)]
    log = stage.root / "api.log"
    with log.open("wb") as file, subprocess.Popen(command, env=environ, stderr=file) as process:
        try:
            wait_until(lambda: _listens(port))
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            assert process.wait(10) == 0, f"the API did not leave well: {log.read_text()}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))
