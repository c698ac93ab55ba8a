"""Trimming against consumers that are slow, dead or come back: nothing goes that one lacks."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from consumers.errors import StoreUnavailable
from consumers.views import names as projections
from synapse_stream.log.replies import entry_id
from synapse_stream.reading.stream import JobStream
from synapse_stream.settings import Settings
from tests.support.raw import client_of
from tests.support.scenes.compare import Comparison
from tests.support.scenes.counting import count as count_differences
from tests.support.scenes.report import Result
from tests.support.scenes.stage import Stage
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from tests.support.scenes.stage import Consumer

_RACES_A_STAGE = 20
_JOBS = [f"job-{number}" for number in range(4)]
_FOLLOWED = _JOBS[0]
_LEASE_SECONDS = 0.6
_OVERLAP_SECONDS = 0.5


def race_trimming(home: Path, count: int, random: Random) -> Result:
    """Trim all the time, while one projection after the other is killed or stopped and returns."""
    result = Result("trimming against slow, dead, returning", count)
    with TestServer(home / "server") as server:
        for first in range(0, count, _RACES_A_STAGE):
            here = home / str(first)
            settings = Settings(
                redis_url=server.url,
                namespace=f"n{first}",
                data_dir=here,
                lease_seconds=_LEASE_SECONDS,
                hot_seconds=0.0,
                rewind_seconds=_OVERLAP_SECONDS,
                partitions=2,
            )
            with Stage(here, settings, random) as stage:
                races = _Races(stage.prepare(), result, random)
                races.run(min(_RACES_A_STAGE, count - first))
    return result


class _Races:
    """The races of one deployment, whose projections are a process each."""

    def __init__(self, stage: Stage, result: Result, random: Random) -> None:
        self._stage = stage
        self._result = result
        self._random = random
        stage.log.check()
        self._consumers = {name: stage.consume(name) for name in projections()}
        self._partitions = {stage.log.keys.partition(job) for job in _JOBS}

    def run(self, count: int) -> None:
        """Run so many races, and judge what is left of what was reported."""
        for job in _JOBS:
            self._stage.report(job, 5)
        followed: list[int] = []
        follower = threading.Thread(target=self._follow, args=(followed,), daemon=True)
        follower.start()
        for number in range(count):
            strike = (self._kill, self._stop, self._replace)[number % 3]
            self._race(self._random.choice(projections()), strike)
        for job in _JOBS:
            self._stage.end(job)
        self._stage.wait_until_caught_up()
        follower.join(60)
        last = self._stage.jobs[_FOLLOWED].last
        count_differences(self._result.tally, "followed", list(range(last + 1)), followed)
        self._judge()

    def _race(self, victim: str, strike: Callable[[str], None]) -> None:
        ends = {partition: self._stage.log.feed_last(partition) for partition in self._partitions}
        strike(victim)
        self._report_for(self._random.uniform(0.1, 0.5))
        self._stage.wait_until_caught_up()
        self._check()
        # nobody lacks anything any more: what was there when the race began must go
        with suppress(AssertionError):
            wait_until(lambda: all(self._trimmed(p) >= end for p, end in ends.items()))
            self._result.happened += 1

    def _kill(self, victim: str) -> None:
        """Dead for longer than its lease and the windows."""
        struck = self._consumers[victim].kill()
        self._result.require(struck, f"{victim} had ended before it was killed")
        self._outlast()
        self._consumers[victim] = self._stage.consume(victim)

    def _stop(self, victim: str) -> None:
        """Slow: stopped where it happens to be, with nobody in its place, and continued."""
        self._consumers[victim].signal(signal.SIGSTOP)
        self._outlast()
        self._consumers[victim].signal(signal.SIGCONT)

    def _replace(self, victim: str) -> None:
        """It returns when another has gone on in its place, and trimming with that."""
        returning = self._consumers[victim]
        wait_until(lambda: self._is_stopped_outside_a_transaction(returning, victim))
        successor = self._consumers[victim] = self._stage.consume(victim)
        self._outlast()
        self._stage.wait_until_caught_up([victim], by=successor)
        self._report_for(self._random.uniform(0, _LEASE_SECONDS))
        returning.signal(signal.SIGCONT)
        self._report_for(self._random.uniform(0, _LEASE_SECONDS))
        returning.stop()

    def _is_stopped_outside_a_transaction(self, consumer: Consumer, victim: str) -> bool:
        """Stop it; continue it if it has the database locked, since then nobody can take over."""
        consumer.signal(signal.SIGSTOP)
        try:
            self._stage.store.leases.leave(victim, "nobody")
        except StoreUnavailable:
            consumer.signal(signal.SIGCONT)
            return False
        return True

    def _outlast(self) -> None:
        self._report_for(self._random.uniform(1, 2) * _LEASE_SECONDS)

    def _report_for(self, seconds: float) -> None:
        """Report, and look all the time whether more was trimmed than some projection has."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._stage.report(self._random.choice(_JOBS), self._random.randint(1, 8))
            self._check()
            time.sleep(0.01)

    def _check(self) -> None:
        trimmed = {partition: self._trimmed(partition) for partition in self._partitions}
        for name in projections():  # looked at later, so they can only be higher
            reached = {
                at.partition: at.position for at in self._stage.store.leases.checkpoints(name)
            }
            for partition, upto in trimmed.items():
                is_right = upto <= reached.get(partition, (0, 0))
                self._result.require(is_right, f"{partition} was trimmed before {name} had it")

    def _trimmed(self, partition: int) -> tuple[int, int]:
        log = self._stage.log
        found = client_of(log).execute_command("GET", log.keys.trimmed(partition))
        return entry_id(found) if found else (0, 0)

    def _follow(self, numbers: list[int]) -> None:
        followed = JobStream(_FOLLOWED, self._stage.settings).tail()
        numbers.extend(recorded.event.seq for recorded in followed)

    def _judge(self) -> None:
        """Compare all views, and what is left of stream and archive with what was reported."""
        comparison = Comparison(self._stage.settings, trimmed=True)
        try:
            self._result.tally.add(comparison.of_jobs(_JOBS))
            for job in _JOBS:
                found = [entry.batch for entry in comparison.entries(job)]
                reported = self._stage.jobs[job].batches
                count_differences(self._result.tally, f"recorded of {job}", reported, found)
        finally:
            comparison.close()
        for consumer in self._stage.consumers:
            self._result.require(
                "Traceback" not in consumer.log, f"a consumer said: {consumer.log[-2000:]}"
            )
        for consumer in self._consumers.values():
            consumer.stop()
