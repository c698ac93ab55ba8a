"""From a report call until another process has read the event, at a steady rate."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redis import Redis

from bench.figures import Row, percentile
from bench.stage import STEP, Stage, metric_texts, metric_values
from synapse_stream import JobStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from synapse_stream import Settings

RATE = 1_000
WARM_UP = 500
PATIENCE_SECONDS = 30.0


def rows(stage: Stage) -> Iterator[Row]:
    """p50 and p99, in turns with a synchronous XADD an event that is read by XREAD BLOCK."""
    count = WARM_UP + stage.scale.paced
    ours, theirs = [], []
    for _ in range(stage.scale.rounds):
        ours.append(_ours(stage, count))
        theirs.append(_theirs(stage, count))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        what = f"set_metrics → read by another process, {RATE:,}/s, {name}"
        mine, their = ([percentile(took, share) for took in each] for each in (ours, theirs))
        yield Row(what, "ms", mine, their, "redis-py, XADD each, XREAD BLOCK")


def _ours(stage: Stage, count: int) -> list[float]:
    with stage.run() as context, _reader(_tail, stage.settings(), context.job_id, count) as delays:
        for values in paced(metric_values(count)):
            context.set_metrics(values, STEP)
        return delays()


def _theirs(stage: Stage, count: int) -> list[float]:
    with stage.redis() as redis, _reader(_xread, stage.server.url, count) as delays:
        for text in paced(metric_texts(count)):
            redis.xadd("yardstick", {"event": text, "time": time.time_ns() // 1_000})
        heard = delays()
        redis.delete("yardstick")
    return heard


def paced(items: Iterator[Any], rate: int = RATE) -> Iterator[Any]:
    due = time.monotonic()
    for item in items:
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))
        yield item


def _tail(settings: Settings, job_id: str, count: int) -> Iterator[int]:
    """Yield the time of each metrics event when it is read, in microseconds since the epoch."""
    for recorded in JobStream(job_id, settings).tail():
        if recorded.event.type == "metrics":
            yield recorded.event.time
            count -= 1
            if not count:
                return


def _xread(url: str, count: int) -> Iterator[int]:
    client = Redis.from_url(url)
    last: Any = b"0"
    while count:
        reply: Any = client.xread({"yardstick": last}, block=1_000)
        for _, entries in reply:
            for entry, fields in entries:
                yield int(fields[b"time"])
                last = entry
                count -= 1


@contextmanager
def _reader(read: Callable[..., Iterator[int]], *where: Any) -> Iterator[Callable[[], list[float]]]:
    """Run `read` in a process of its own; what is yielded returns the delays, in ms."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_measure, args=(read, where, there), daemon=True)

    def hear() -> list[float]:
        assert here.poll(PATIENCE_SECONDS), "the reader does not answer"
        heard: list[float] = here.recv()
        return heard

    process.start()
    hear()  # it is about to read
    try:
        yield hear
    finally:
        process.join(10)
        process.kill()


def _measure(read: Callable[..., Iterator[int]], where: tuple[Any, ...], there: Connection) -> None:
    there.send([])
    delays = [time.time_ns() / 1e6 - reported / 1e3 for reported in read(*where)]
    there.send(delays[WARM_UP:])
