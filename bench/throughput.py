"""From the first report to the last acknowledgement, against redis-py pipelining XADD."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.figures import Bound, Row
from bench.stage import STEP, Stage, metric_texts, metric_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

PIPELINE = 100


def rows(stage: Stage) -> Iterator[Row]:
    """Events a second, and what an event takes of the server's memory."""
    count = stage.scale.events
    speed: tuple[list[float], list[float]] = ([], [])
    memory: tuple[list[float], list[float]] = ([], [])
    for _ in range(stage.scale.rounds):
        for turn, (seconds, size) in enumerate((_ours(stage, count), _theirs(stage, count))):
            speed[turn].append(count / seconds)
            memory[turn].append(size / count)
    against = f"redis-py, {PIPELINE} XADD a pipeline"
    yield Row(
        "emitted → acknowledged, exactly once", "events/s", *speed, against,
        Bound(2.0, on="ratio", is_floor=True),
    )  # fmt: skip
    yield Row("server memory at full speed", "bytes/event", *memory, against, Bound(30, on="ours"))


def _ours(stage: Stage, count: int) -> tuple[float, float]:
    values = list(metric_values(count))
    with stage.redis() as redis, stage.run() as context:
        assert context.flush(60)  # the start of the run is behind us
        before = _used_memory(redis)
        start = time.perf_counter()
        for each in values:
            context.set_metrics(each, STEP)
        assert context.flush(60)
        seconds = time.perf_counter() - start
        job_id = context.job_id
        assert job_id is not None
        size = max(_used_memory(redis) - before, _of_keys(redis, stage.keys(job_id)))
    numbers = stage.numbers(job_id)
    assert numbers == list(range(len(numbers))), "not exactly once, in order"
    assert len(numbers) >= count
    return seconds, size


def _theirs(stage: Stage, count: int) -> tuple[float, float]:
    texts = list(metric_texts(count))
    with stage.redis() as redis:
        before = _used_memory(redis)
        start = time.perf_counter()
        for first in range(0, count, PIPELINE):
            pipeline = redis.pipeline(transaction=False)
            for text in texts[first : first + PIPELINE]:
                pipeline.xadd("yardstick", {"event": text})
            pipeline.execute()
        seconds = time.perf_counter() - start
        size = max(_used_memory(redis) - before, _of_keys(redis, ["yardstick"]))
        assert redis.xlen("yardstick") == count
        redis.delete("yardstick")
    return seconds, size


def _used_memory(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


def _of_keys(redis: Redis, keys: list[str]) -> int:
    return sum(redis.memory_usage(key, samples=0) or 0 for key in keys)
