"""What many quiet jobs cost the server, when small batches wait for company and when not."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from bench.figures import Bound, Row
from bench.streams import metrics
from synapse_stream.entries.batch import GENESIS, seal
from synapse_stream.log.event_log import open_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from bench.stage import Stage
    from synapse_stream.entries.batch import Batch

JOBS = 100
COLLECTED = (2, 3)  # events of ten a second within the longest wait, a quarter of a second


def rows(stage: Stage) -> Iterator[Row]:
    """Events that a core of the server takes a second from jobs of ten events a second."""
    alone: list[float] = []
    in_turn: list[float] = []
    together: list[float] = []
    for number in range(stage.scale.rounds):
        alone.append(_taken(stage, f"alone{number}", (1, 1), 1))
        in_turn.append(_taken(stage, f"in-turn{number}", COLLECTED, 1))
        together.append(_taken(stage, f"together{number}", COLLECTED, JOBS))
    against = "a call an event"
    for what, ours, floor in (("a process a job", in_turn, 2.0), ("100 a process", together, 5.0)):
        bound = Bound(floor, on="ratio", is_floor=True)
        yield Row(f"quiet jobs, {what}", "events/s", ours, alone, against, bound)


def _taken(stage: Stage, name: str, sizes: tuple[int, int], at_once: int) -> float:
    log = open_log(stage.settings(namespace=f"quiet-{name}"))
    log.check()
    jobs = [_batches(f"{name}-{number}", sizes) for number in range(JOBS)]
    rounds = stage.scale.paced // 20
    count = 0
    batches: list[Batch] = []
    with stage.redis() as redis:
        before = _cpu_seconds(redis)
        for _ in range(rounds):
            batches = [next(job) for job in jobs]
            count += sum(batch.last - batch.first + 1 for batch in batches)
            for begin in range(0, JOBS, at_once):
                log.append_all(batches[begin : begin + at_once])
        seconds = _cpu_seconds(redis) - before
    heads = log.heads([(batch.job_id, batch.producer) for batch in batches])
    assert [ack.last for ack in heads] == [batch.last for batch in batches]
    log.close()
    return count / seconds


def _batches(job_id: str, sizes: tuple[int, int]) -> Iterator[Batch]:
    previous, first = GENESIS, 0
    for size in cycle(sizes):
        lines = [metrics(number, number * 100_000) for number in range(first, first + size)]
        data = "\n".join([*lines, ""]).encode()
        batch = seal(previous, job_id, "producer", first, first + size - 1, data)
        yield batch
        previous, first = batch.hash, first + size


def _cpu_seconds(redis: Redis) -> float:
    used: dict[str, float] = redis.info("cpu")
    return used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]
