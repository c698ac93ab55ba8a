"""Streams of made-up runs, written past the SDK: many in seconds, the same every time."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from bench.stage import STEP
from synapse_stream.entries.batch import GENESIS, decode_events, seal
from synapse_stream.log.feeds import FeedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.stage import Stage
    from synapse_stream import Settings
    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import FeedPointer

    Line = Callable[[int, int], str]
    Ends = dict[int, tuple[int, int]]  # partition → id of its last entry

_namespaces = count(1)
_START_US = time.time_ns() // 1_000
_random = random.Random(1)
_NOISE = [_random.gauss(0.0, 1.0) for _ in range(99_991)]


class Streams:
    """Runs of one producer each in a namespace of their own."""

    def __init__(self, settings: Settings, jobs: int, events: int, batch: int, line: Line) -> None:
        self.settings = settings
        self.events = events
        self.ends: Ends = {}
        self._producers = [run(f"run-{job}", events // jobs, batch, line) for job in range(jobs)]

    def write(self, batches: int | None = None) -> None:
        """Append so many batches of each run in turns, or all that are left."""
        log = FeedLog.open(self.settings)
        log.check()
        for _ in range(batches) if batches else count():
            following = [batch for producer in self._producers if (batch := next(producer, None))]
            for batch in following:
                log.append(batch)
            if not following:
                break
        feeds = range(self.settings.partitions)
        self.ends = {feed: end for feed in feeds if (end := log.feed_last(feed)) > (0, 0)}
        log.close()


@contextmanager
def streams(stage: Stage, jobs: int, events: int, batch: int, line: Line) -> Iterator[Streams]:
    """Prepare streams of `events` events of `jobs` jobs in all; remove them at the end."""
    settings = stage.settings(namespace=f"bench{next(_namespaces)}")
    try:
        yield Streams(settings, jobs, events, batch, line)
    finally:
        with stage.redis() as redis:
            for key in redis.scan_iter(f"{settings.namespace}:*", count=1_000):
                redis.delete(key)


def run(job_id: str, events: int, size: int, line: Line) -> Iterator[Batch]:
    """Make the batches of one run of one producer."""
    previous = GENESIS
    for first in range(0, events, size):
        last = min(first + size, events) - 1
        lines = [_started()] if first == 0 else []
        lines += [line(number, _time(number)) for number in range(first + len(lines), last + 1)]
        data = "\n".join([*lines, ""]).encode()
        batch = seal(previous, job_id, "producer", first, last, data)
        previous = batch.hash
        yield batch


def metrics(number: int, time_us: int) -> str:
    """Return a metrics event of three noisy values; noise is what no packing makes small."""
    noise = _NOISE[number % len(_NOISE)]
    loss, accuracy = 2.5 / (number + 1) + noise * 0.01, 0.9 - abs(noise) * 0.05
    values = f'{{"loss":{loss!r},"accuracy":{accuracy!r},"learning_rate":0.0003}}'
    head = f'{{"seq":{number},"time":{time_us},"type":"metrics","v":1,"step":"{STEP}"'
    return f'{head},"values":{values},"x":{number}}}'


def mixed(number: int, time_us: int) -> str:
    """Return metrics, and every tenth time progress, every tenth time a message."""
    head = f'{{"seq":{number},"time":{time_us},"type"'
    if number % 10 == 1:
        return f'{head}:"progress","v":1,"step":"{STEP}","current":{number},"total":100000000}}'
    if number % 10 == 2:
        return f'{head}:"message","v":1,"content":"Batch {number} is done","level":"info"}}'
    return metrics(number, time_us)


def read_bare(settings: Settings, ends: Ends) -> float:
    """Return the seconds that only reading feeds and entries and decoding the events takes."""

    def decode(log: FeedLog, partition: int, pointers: Sequence[FeedPointer]) -> None:
        for _, recorded in log.read_entries(partition, pointers):
            assert recorded.batch is not None
            decode_events(recorded.batch.data)

    return read_through(settings, ends, decode)


def read_through(
    settings: Settings, ends: Ends, take: Callable[[FeedLog, int, Sequence[FeedPointer]], object]
) -> float:
    """Return the seconds that it takes to give every pointer up to `ends` to `take`, by 100."""
    log = FeedLog.open(settings)
    log.check()
    start = time.perf_counter()
    after = dict.fromkeys(ends, (0, 0))
    while after != ends:
        for partition, pointers in log.wait_feeds(after, limit=1_000, block_ms=1_000).items():
            for begin in range(0, len(pointers), 100):
                take(log, partition, pointers[begin : begin + 100])
            after[partition] = pointers[-1].entry
    seconds = time.perf_counter() - start
    log.close()
    return seconds


def _started() -> str:
    head = f'{{"seq":0,"time":{_time(0)},"type":"run_started","v":1'
    return f'{head},"action":"train","rank":0}}'


def _time(number: int) -> int:
    return _START_US + 1_000 * number + int(100 * _NOISE[number % 9_973])
