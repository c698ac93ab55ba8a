"""What views cost: to keep many that rest, to look at a long series, to store a point."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import psutil

from bench.figures import Bound, Row
from bench.stage import STEP, Stage, time_calls
from bench.streams import metrics, mixed, run
from consumers import views
from consumers.folding.fold import JobFold
from consumers.store.jobs import JobWrite
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.opening import open_store, open_views
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.ports.views import SeriesKey
from synapse_stream.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from consumers.store.lease import Lease
    from consumers.store.store import Store
    from synapse_stream import Settings
    from synapse_stream.ports.job_view import JobView

    Write = tuple[JobFold, RecordedBatch]

JOBS = 10
DRAWN_POINTS = 2_000
BUCKETS = DRAWN_POINTS // 2  # each is drawn as its minimum and its maximum
LOOKS = 20
BATCH = 100
WRITES_A_COMMIT = 1_000
SETTLE_SECONDS = 5.0
IDLE_SECONDS = 10.0
SERIES = SeriesKey(1, 0, STEP, "loss")


def rows(stage: Stage) -> Iterator[Row]:
    """An idle consumer; overviews of a long and a longer series; the size of their file."""
    yield _idle(stage)
    long = 5 * stage.scale.events
    yield from _series(stage, long, 20)
    yield from _series(stage, long // 10, 5)


def _idle(stage: Stage) -> Row:
    many = stage.scale.events // 2
    took: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as stack:
        watched = []
        for jobs in (many, JOBS):
            settings = stage.settings(
                namespace=f"idle{jobs}", store_url=f"sqlite:///{stage.root}/idle-{jobs}"
            )
            for name in views.folded():
                _store_idle_jobs(settings, views.find(name).rules, jobs)
            watched.append(stack.enter_context(_consumer(settings)))
        time.sleep(SETTLE_SECONDS)
        for _ in range(stage.scale.rounds):  # both at once: what disturbs one disturbs the other
            before = [_processor_ms(process) for process in watched]
            time.sleep(IDLE_SECONDS)
            for turn, process in enumerate(watched):
                took[turn].append((_processor_ms(process) - before[turn]) / IDLE_SECONDS)
    what = f"idle consumer of all projections, {many:,} idle jobs in the store"
    return Row(what, "ms CPU/s", *took, f"{JOBS} jobs", Bound(1.1, on="ratio"))


def _series(stage: Stage, points: int, limit_ms: float) -> Iterator[Row]:
    """Store one run of three metrics, compact it, look at one of its series as a whole."""
    home = stage.root / f"series-{points}"
    settings = stage.settings(store_url=f"sqlite:///{home}")
    with closing(open_store(settings)) as store:
        lease = _lease(store, MetricHistoryView)
        fold = JobFold(MetricHistoryView, "run", None)
        batches = enumerate(run("run", points + 1, BATCH, metrics))
        writes = ((fold, RecordedBatch(number, 0, batch)) for number, batch in batches)
        _commit(store, lease, writes, BATCH)
        while store.compact(lease, rested_seconds=0.0):
            pass
    with closing(open_views(settings)) as opened:
        assert opened.overview("run", SERIES, buckets=BUCKETS).count == points
        look = partial(opened.overview, buckets=BUCKETS)
        took = [
            median(time_calls(look, [("run", SERIES)] * LOOKS)) for _ in range(stage.scale.rounds)
        ]
        whole = [
            median(time_calls(opened.points, [("run", SERIES)])) for _ in range(stage.scale.rounds)
        ]
    yield Row(
        f"overview, {DRAWN_POINTS:,} points of {points:,}",
        "ms",
        [each / 1e3 for each in took],
        [each / 1e3 for each in whole],
        "reading every point",
        Bound(limit_ms, on="ours"),
    )
    size = _file_bytes(home) / (3 * points)
    what = f"bytes a stored point, 3 metrics with x, {points:,} each, whole file"
    yield Row(what, "bytes", [size], bound=Bound(12, on="ours"))


def _store_idle_jobs(settings: Settings, view: type[JobView], jobs: int) -> None:
    with closing(open_store(settings)) as store:
        lease = _lease(store, view)
        _commit(store, lease, _idle_jobs(view, jobs), WRITES_A_COMMIT)
        store.leases.release(lease)
        assert len(store.jobs.load(view.name, [f"run-{jobs - 1}"])) == 1


def _idle_jobs(view: type[JobView], jobs: int) -> Iterator[Write]:
    for number in range(jobs):
        (batch,) = run(f"run-{number}", 5, 5, mixed)
        yield JobFold(view, f"run-{number}", None), RecordedBatch(number, 0, batch)


def _lease(store: Store, view: type[JobView]) -> Lease:
    lease = store.leases.acquire(view.name, 0, "bench", 600.0)
    assert lease is not None
    return lease


def _commit(store: Store, lease: Lease, writes: Iterable[Write], size: int) -> None:
    """Fold and commit, so many batches at a time."""
    pending: dict[str, JobFold] = {}
    entry = (0, 0)
    for number, (fold, recorded) in enumerate(writes, 1):
        assert fold.apply(recorded) == []
        pending[fold.job_id] = fold
        entry = (recorded.ms, recorded.seq)
        if number % size == 0:
            _write(store, lease, pending, entry)
    _write(store, lease, pending, entry)


def _write(store: Store, lease: Lease, pending: dict[str, JobFold], entry: tuple[int, int]) -> None:
    writes = [JobWrite(f.job_id, f.document(), f.rows(), entry) for f in pending.values()]
    store.commit(lease, (0, 0), writes, [], 600.0)
    pending.clear()


@contextmanager
def _consumer(settings: Settings) -> Iterator[psutil.Process]:
    shown = settings.model_dump(exclude_none=True)
    environ = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
    command = [sys.executable, "-m", "consumers", "all"]
    with subprocess.Popen(command, env={**os.environ, **environ}) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def _processor_ms(process: psutil.Process) -> float:
    clock = ~process.pid << 3 | 2  # clock_getcpuclockid(3); `cpu_times` counts ticks of 10 ms
    return 1_000 * time.clock_gettime(clock)


def _file_bytes(home: Path) -> int:
    """Return the size of the metric histories; the log of the last close is empty."""
    return sum(file.stat().st_size for file in home.iterdir())
