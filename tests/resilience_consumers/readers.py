"""Readers at full speed beside writers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from consumers.store import open_views
from synapse_stream.settings import Settings
from tests.resilience.report import Result
from tests.resilience_consumers.stage import Stage
from tests.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from consumers.store import StoredViews

_JOBS = 20


def read_during_writes(home: Path, count: int, random: Random) -> Result:
    """For `count` seconds two threads read all kinds of views while a consumer writes them."""
    result = Result("seconds of reading during writes", count)
    settings = {"data_dir": home / "data", "partitions": 4, "lease_seconds": 5.0}
    seconds: list[float] = []
    stop = threading.Event()
    with TestServer(home / "server") as server:
        given = Settings(redis_url=server.url, **settings)
        with Stage(home / "stage", given, random) as stage:
            consumer = stage.prepare().consume()
            jobs = [f"job-{number}" for number in range(_JOBS)]
            for job in jobs:
                stage.report(job, 20)
            stage.wait_until_caught_up()
            views = open_views(given)
            readers = [
                threading.Thread(target=_read, args=(views, jobs[n:], seconds, stop, result))
                for n in range(2)
            ]
            for reader in readers:
                reader.start()
            begin = time.monotonic()
            while (now := time.monotonic()) < begin + count:
                for job in random.sample(jobs, 5):
                    stage.report(job, 20)
                time.sleep(0.02)
                result.happened = round(now - begin)
            result.happened = count if time.monotonic() >= begin + count else result.happened
            stop.set()
            for reader in readers:
                reader.join()
            views.close()
            stage.wait_until_caught_up()
            result.tally.add(stage.compare())
            result.require(consumer.log == "", f"the consumer said: {consumer.log[-2000:]}")
            consumer.stop()
    seconds.sort()
    result.require(len(seconds) > 50 * count, f"only {len(seconds)} reads")
    middle, most = (seconds[int(len(seconds) * part)] * 1000 for part in (0.5, 0.99))
    result.notes.append(f"{len(seconds)} reads, p50 {middle:.1f} ms, p99 {most:.1f} ms")
    return result


def _read(
    views: StoredViews,
    jobs: list[str],
    seconds: list[float],
    stop: threading.Event,
    result: Result,
) -> None:
    number = 0
    while not stop.is_set():
        job = jobs[number % len(jobs)]
        (key,) = {summary.key for summary in views.series(job, name="loss")}
        questions: tuple[Callable[[], object], ...] = (
            lambda: views.jobs(limit=50),
            lambda: views.state(job),  # noqa: B023 - asked at once
            lambda: views.messages(job, limit=50),  # noqa: B023
            lambda: views.series(job),  # noqa: B023
            lambda: views.overview(job, key, buckets=200),  # noqa: B023
        )
        begin = time.perf_counter()
        try:
            questions[number % len(questions)]()
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            result.require(False, f"a read failed: {error}")
            return
        seconds.append(time.perf_counter() - begin)
        number += 1
