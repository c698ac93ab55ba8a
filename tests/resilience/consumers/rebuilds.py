"""Views that are rebuilt and rolled back while they grow and are read."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from consumers import views
from consumers.views.opening import open_views
from synapse_stream.entries.position import BEGINNING
from synapse_stream.settings import Settings
from tests.support.scenes.report import Result
from tests.support.scenes.stage import Stage
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

_JOBS = 4
_EVENTS_A_BEAT = 100
_BEAT_SECONDS = 0.05
_LONGEST_SECONDS = 240.0
_LEASE_SECONDS = 0.6
_EVENTS_OF_A_JOB = 3_000
_LONGEST_WAIT_SECONDS = 0.3
_WITH_TABLES = ("metric-history", "message-feed")  # their rebuilds last long enough to be struck


class Reader(threading.Thread):
    """Reads all views of jobs until it is told to stop; notes what should not be."""

    def __init__(self, settings: Settings, jobs: list[str]) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.reads = 0
        self._views = open_views(settings)
        self._jobs = jobs
        self._stop_reading = threading.Event()
        self._seen: dict[tuple[str, str], object] = {}
        self._most: dict[tuple[str, str], int] = {}

    def run(self) -> None:
        """Read, and compare with what was read before."""
        while not self._stop_reading.is_set():
            for job in self._jobs:
                try:
                    self._read(job)
                except Exception as error:  # noqa: BLE001 - that is what is looked for
                    self.problems.append(f"{job}: {error!r}")
                self.reads += 1
        self._views.close()

    def end(self) -> None:
        """Stop, and wait for it."""
        self._stop_reading.set()
        self.join()

    def _read(self, job: str) -> None:
        for name in views.folded():
            position = self._views.position(name, job) or BEGINNING
            before = self._seen.get((name, job), BEGINNING)
            if position < before:  # type: ignore[operator]
                self.problems.append(f"{name} of {job} went back from {before} to {position}")
            self._seen[name, job] = position
        state = self._views.state(job)
        counts = {
            "state": sum(state.latest.counts.values()) if state else 0,
            "points": sum(series.count for series in self._views.series(job)),
            "jobs": len(self._views.jobs()),
        }
        for name, count in counts.items():
            if count < self._most.get((name, job), 0):
                self.problems.append(f"{name} of {job}: {count} after {self._most[name, job]}")
            self._most[name, job] = count
        page = self._views.messages(job, kinds=("message", "dev_event", "log"), limit=20).messages
        places = [message.position for message in page]
        if places != sorted(set(places)):
            self.problems.append(f"messages of {job} out of order or twice: {places}")


def rebuild_under_load(home: Path, count: int, random: Random) -> Result:
    """Rebuild a projection, then roll it back, while 2,000 events a second come."""
    result = Result("rebuilds and roll-backs under load", count)
    with TestServer(home / "server") as server:
        settings = Settings(redis_url=server.url, data_dir=home / "data", partitions=4)
        with Stage(home / "stage", settings, random) as stage:
            consumer = stage.prepare().consume()
            jobs = [f"job-{number}" for number in range(_JOBS)]
            for job in jobs:
                stage.report(job, 500)
            stage.wait_until_caught_up()
            reader = Reader(settings, jobs)
            reader.start()
            begin, sent = time.monotonic(), 0
            for number in range(count):
                name = views.folded()[number // 2 % len(views.folded())]
                asked = stage.store.rebuilds.ask(name, is_rollback=number % 2 == 1)
                sent += _report_until_done(stage, name, jobs)
                done = stage.store.rebuilds.asked(name)
                wrong = [one for one in done if one.difference or "not done" in str(one.outcome)]
                result.require(not wrong, f"{name}: {wrong[:2]}")
                result.happened += asked == len(done) == _JOBS
            rate = sent / (time.monotonic() - begin)
            stage.wait_until_caught_up()
            reader.end()
            result.tally.add(stage.compare())
            result.require(consumer.log == "", f"the consumer said: {consumer.log[-2000:]}")
            consumer.stop()
    result.require(reader.problems == [], f"{len(reader.problems)}: {reader.problems[:3]}")
    result.notes.append(f"{sent} events meanwhile, {rate:.0f} a second; {reader.reads} reads")
    return result


def kill_while_rebuilding(home: Path, count: int, random: Random) -> Result:
    """Kill the consumer in the middle of a rebuild or a roll-back; the next one has to do it."""
    result = Result("consumer killed while it rebuilds", count)
    with TestServer(home / "server") as server:
        settings = Settings(
            redis_url=server.url,
            data_dir=home / "data",
            partitions=4,
            lease_seconds=_LEASE_SECONDS,
        )
        with Stage(home / "stage", settings, random) as stage:
            consumer = stage.prepare().consume()
            jobs = [f"job-{number}" for number in range(_JOBS)]
            for job in jobs:
                stage.report(job, _EVENTS_OF_A_JOB)
            stage.wait_until_caught_up()
            while result.happened < count:
                name = random.choice(_WITH_TABLES)
                is_rollback = any(stage.store.rebuilds.asked(name)) and random.random() < 0.5
                stage.store.rebuilds.ask(name, is_rollback=is_rollback)
                time.sleep(random.uniform(0, _LONGEST_WAIT_SECONDS))
                is_due = stage.store.rebuilds.count_due(name) > 0
                result.happened += consumer.kill() and is_due
                stage.report(random.choice(jobs), 10)
                consumer = stage.consume()
                _report_until_done(stage, name, jobs)
                done = stage.store.rebuilds.asked(name)
                wrong = [one for one in done if one.difference or "not done" in str(one.outcome)]
                result.require(not wrong, f"{name}: {wrong[:2]}")
            stage.wait_until_caught_up()
            result.tally.add(stage.compare())
            consumer.stop()
    return result


def _report_until_done(stage: Stage, name: str, jobs: list[str]) -> int:
    """Report at an even rate until all jobs are done; return how many events."""
    sent, begin = 0, time.monotonic()
    while stage.store.rebuilds.count_due(name):
        assert time.monotonic() < begin + _LONGEST_SECONDS, f"{name} is not rebuilt in time"
        stage.report(jobs[sent // _EVENTS_A_BEAT % _JOBS], _EVENTS_A_BEAT)
        sent += _EVENTS_A_BEAT
        time.sleep(max(0.0, begin + sent / _EVENTS_A_BEAT * _BEAT_SECONDS - time.monotonic()))
    return sent
