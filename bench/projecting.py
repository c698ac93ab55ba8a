"""What a consumer carries: catching up, against only reading, and how fresh its views are."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING

from bench.consuming import catch_up, consumers
from bench.figures import Bound, Row, percentile
from bench.fresh import in_fresh_process
from bench.live import RATE, WARM_UP, paced
from bench.stage import STEP, Stage, metric_values
from bench.streams import Streams, metrics, mixed, read_bare, streams
from synapse_stream.log.feeds import FeedLog
from tests.support.postgres import PostgresServer, find_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream import Settings

JOBS = 10
BATCH = 100
FLOORS = {"metric-history": 0.3, "message-feed": 0.3, "run-state": 0.45}
EVENTS_OF_A_JOB = 100
CROWD_BATCH = 10
BUSY_JOBS = 64

_folders = count(1)


def rows(stage: Stage) -> Iterator[Row]:
    """Catching up by projection, with few and many jobs, alone and together; then freshness."""
    yield from _catching_up(stage)
    yield from _crowd(stage)
    yield _together(stage)
    yield from _freshness(stage)


def _catching_up(stage: Stage) -> Iterator[Row]:
    events = 5 * stage.scale.events
    with streams(stage, JOBS, events, BATCH, metrics) as filled:
        filled.write()
        for projection, floor in FLOORS.items():
            what = f"{projection}, catching up on {events:,} events of 3 metrics"
            yield _against_reading(stage, filled, projection, what, floor)
    with streams(stage, JOBS, events, BATCH, mixed) as filled:
        filled.write()
        for projection in FLOORS:
            what = f"{projection}, the same with a tenth progress and a tenth messages"
            yield _against_reading(stage, filled, projection, what, None)


def _against_reading(
    stage: Stage, filled: Streams, projection: str, what: str, floor: float | None
) -> Row:
    ours, bare = [], []
    for _ in range(_rounds(stage)):
        bare.append(filled.events / in_fresh_process(read_bare, filled.settings, filled.ends))
        ours.append(filled.events / catch_up(_own_store(stage, filled), projection, filled.ends))
    bound = None if floor is None else Bound(floor, on="ratio", is_floor=True)
    return Row(what, "events/s", ours, bare, "only reading and decoding", bound)


def _crowd(stage: Stage) -> Iterator[Row]:
    """Few jobs and many: the same number of events in batches of the same size."""
    events = 5 * stage.scale.events
    crowd = events // EVENTS_OF_A_JOB
    for projection in FLOORS:
        took: tuple[list[float], list[float]] = ([], [])
        for _ in range(_rounds(stage)):
            for turn, jobs in enumerate((crowd, JOBS)):
                took[turn].append(_active(stage, projection, jobs, events))
        what = f"{projection}, an event at {crowd:,} active jobs"
        yield Row(what, "µs", *took, f"at {JOBS}", Bound(2.0, on="ratio"))


def _active(stage: Stage, projection: str, jobs: int, events: int) -> float:
    """Return the time an event, in µs, of jobs that the consumer has met before."""
    met = jobs * CROWD_BATCH
    with (
        streams(stage, jobs, events + met, CROWD_BATCH, mixed) as filled,
        consumers(_own_store(stage, filled), projection) as started,
    ):
        filled.write(1)
        started.go()
        started.wait(filled.ends)
        with started.paused():
            filled.write()
        start = time.perf_counter()
        started.wait(filled.ends)
        return 1e6 * (time.perf_counter() - start) / events


def _together(stage: Stage) -> Row:
    events = 5 * stage.scale.events // BUSY_JOBS * BUSY_JOBS
    what = f"metric-history, two processes on {BUSY_JOBS} busy jobs, PostgreSQL"
    bound = Bound(1.2, on="ratio", is_floor=True)
    programs = find_programs()
    if programs is None:
        return Row(what, "events/s", against="one", bound=bound, void="no PostgreSQL programs")
    speed: dict[int, list[float]] = {1: [], 2: []}
    with (
        PostgresServer(programs) as server,
        streams(stage, BUSY_JOBS, events, BATCH, metrics) as filled,
    ):
        filled.write()
        for _ in range(_rounds(stage)):
            for processes, speeds in speed.items():
                with server.database() as url:
                    settings = filled.settings.model_copy(update={"store_url": url})
                    seconds = catch_up(settings, "metric-history", filled.ends, processes)
                speeds.append(events / seconds)
    return Row(what, "events/s", speed[2], speed[1], "one", bound)


def _freshness(stage: Stage) -> Iterator[Row]:
    took = [_delays(stage, WARM_UP + stage.scale.paced) for _ in range(stage.scale.rounds)]
    for name, share, limit in (("p50", 0.5, 20), ("p99", 0.99, 100)):
        what = f"set_metrics → committed in the view, {RATE:,}/s, {name}"
        figures = [percentile(delays, share) for delays in took]
        yield Row(what, "ms", figures, bound=Bound(limit, on="ours"))


def _delays(stage: Stage, events: int) -> list[float]:
    number = next(_folders)
    settings = stage.settings(namespace=f"live{number}", store_url=_folder(stage, number))
    with consumers(settings, "metric-history") as started:
        started.go()
        with stage.run(namespace=settings.namespace) as context:
            for values in paced(metric_values(events)):
                context.set_metrics(values, STEP)
        log = FeedLog.open(settings)
        started.wait({p: log.feed_last(p) for p in range(settings.partitions)})
        log.close()
        (delays,) = started.stop()
    assert len(delays) == events, f"{len(delays)} of {events} points were committed"
    return list(delays[WARM_UP:])


def _own_store(stage: Stage, filled: Streams) -> Settings:
    """Return settings with an empty store."""
    return filled.settings.model_copy(update={"store_url": _folder(stage, next(_folders))})


def _folder(stage: Stage, number: int) -> str:
    return f"sqlite:///{stage.root}/views-{number}"


def _rounds(stage: Stage) -> int:
    return max(1, stage.scale.rounds // 2)
