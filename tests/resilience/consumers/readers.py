"""Readers at full speed beside writers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from consumers.views.opening import open_views
from synapse_stream.settings import Settings
from tests.support.scenes.report import Result
from tests.support.scenes.stage import PROCESSES, Stage
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from random import Random

_JOBS = 20
_READERS = 2

_Reads = tuple[list[float], list[float], list[str]]
"""How long each read of a process took, what it took of a core, and what failed."""


def read_during_writes(home: Path, count: int, random: Random) -> Result:
    """For `count` seconds processes read all kinds of views while a consumer writes them."""
    result = Result(f"{_READERS} readers during writes, seconds", count)
    found: list[_Reads] = []
    with TestServer(home / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=home / "data", partitions=4)
        with Stage(home / "stage", settings, random) as stage:
            consumer = stage.prepare().consume()
            jobs = [f"job-{number}" for number in range(_JOBS)]
            for job in jobs:
                stage.report(job, 20)
            stage.wait_until_caught_up()
            for reads in _while_read(settings, jobs, count):
                found += reads
                stage.report(random.choice(jobs), 100)
                time.sleep(0.02)
            result.happened = count if len(found) == _READERS else 0
            stage.wait_until_caught_up()
            result.tally.add(stage.compare())
            result.require(consumer.log == "", f"the consumer said: {consumer.log[-2000:]}")
            consumer.stop()
    failures = [failure for *_, failures in found for failure in failures]
    result.require(failures == [], f"{len(failures)} reads failed: {failures[:3]}")
    number = sum(len(seconds) for seconds, *_ in found)
    result.require(number > count, f"only {number} reads")
    taken = _quantiles(second for seconds, *_ in found for second in seconds)
    worked = _quantiles(second for _, seconds, _ in found for second in seconds)
    result.notes.append(f"{number} reads, {taken}; without waiting for a core {worked}")
    return result


def _quantiles(seconds: Iterable[float]) -> str:
    ordered = sorted(seconds)
    middle, most = (ordered[int(len(ordered) * part)] * 1000 for part in (0.5, 0.99))
    return f"p50 {middle:.1f} ms, p99 {most:.1f} ms"


def _while_read(settings: Settings, jobs: list[str], count: int) -> Iterator[list[_Reads]]:
    """Let processes read for `count` seconds; yield what they give until all ended."""
    results = PROCESSES.SimpleQueue()
    readers = [
        PROCESSES.Process(target=_read, args=(settings, jobs, count, results))
        for _ in range(_READERS)
    ]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers) or not results.empty():
        yield [] if results.empty() else [results.get()]
    for reader in readers:
        reader.close()
    results.close()


def _read(settings: Settings, jobs: list[str], count: int, results: Any) -> None:
    """Read for `count` seconds; hand back what `_Reads` says."""
    views = open_views(settings)
    keys = {job: views.series(job, name="loss")[0].key for job in jobs}
    questions: tuple[Callable[[str], object], ...] = (
        lambda _: views.jobs(limit=50),
        views.state,
        lambda job: views.messages(job, limit=50),
        views.series,
        lambda job: views.overview(job, keys[job], buckets=200),
    )
    seconds: list[float] = []
    of_a_core: list[float] = []
    failures: list[str] = []
    deadline = time.monotonic() + count
    while (begin := time.monotonic()) < deadline:
        number, worked = len(seconds), time.process_time()
        try:
            questions[number % len(questions)](jobs[number // len(questions) % len(jobs)])
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            failures.append(str(error))
        seconds.append(time.monotonic() - begin)
        of_a_core.append(time.process_time() - worked)
    results.put((seconds, of_a_core, failures))
