"""SIGKILL of consumers, and SIGSTOP past their lease, while jobs report."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from consumers.views import names as projections
from synapse_stream.settings import Settings
from tests.support.dumps import dump
from tests.support.postgres import NO_POSTGRES
from tests.support.scenes.report import Result
from tests.support.scenes.stage import Stage, own_postgres
from tests.support.scenes.worker import Point
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from tests.support.scenes.stage import Consumer

_JOBS = 6
_KILLS_A_STAGE = 20
_LEASE_SECONDS = 0.6
_PARTITIONS = 4


def kill_consumers(home: Path, count: int, random: Random) -> Result:
    """Kill one of two consumers at a random moment; SQLite files."""
    result = Result("consumer killed, SQLite", count)
    return _kill_at_random(result, home, random, on_postgres=False)


def kill_consumers_on_postgres(home: Path, count: int, random: Random) -> Result:
    """The same, PostgreSQL."""
    result = Result("consumer killed, PostgreSQL", count)
    return _kill_at_random(result, home, random, on_postgres=True)


def kill_consumers_at_points(home: Path, count: int, random: Random) -> Result:
    """Kill a consumer at each of the named points, `count` times; SQLite files."""
    result = Result("consumer killed at 8 points, SQLite", count * len(Point))
    return _kill_at_points(result, home, random, on_postgres=False)


def kill_consumers_at_points_on_postgres(home: Path, count: int, random: Random) -> Result:
    """The same, PostgreSQL."""
    result = Result("consumer killed at 8 points, PostgreSQL", count * len(Point))
    return _kill_at_points(result, home, random, on_postgres=True)


def stop_an_owner(home: Path, count: int, random: Random) -> Result:
    """SIGSTOP an owner before its commit, let another take over and commit, then SIGCONT."""
    result = Result("owner stopped past its lease, then continued", count)
    for stage in _stages(home, count, random, result, on_postgres=False):
        projection = random.choice(projections())
        stalled = stage.consume(
            projection, point=Point.APPLIED, nth=random.randint(1, 5), number=signal.SIGSTOP
        )
        while stalled.state != "T":
            stage.report(_some_job(random), 3)
        successor = stage.consume(projection)
        stage.wait_until_caught_up([projection])
        before = _content(stage, projection)
        stalled.signal(signal.SIGCONT)
        result.happened += bool(stalled.wait_until_said("nothing was written"))
        result.require(_content(stage, projection) == before, "the stalled owner has written")
        stage.report(_some_job(random), 20)
        stage.wait_until_caught_up([projection])
        result.tally.add(stage.compare(projections=[projection]))
        for consumer in (stalled, successor):
            consumer.stop()
    return result


def _kill_at_random(result: Result, home: Path, random: Random, *, on_postgres: bool) -> Result:
    stages = (result.planned + _KILLS_A_STAGE - 1) // _KILLS_A_STAGE
    for stage in _stages(home, stages, random, result, on_postgres=on_postgres):
        consumers = [stage.consume(), stage.consume()]
        for _ in range(min(_KILLS_A_STAGE, result.planned - result.happened)):
            _report_for(stage, random, random.uniform(0, 0.5))
            victim = random.randrange(2)
            result.happened += consumers[victim].kill()
            _report_for(stage, random, random.uniform(0, 0.2))
            _judge(stage, result)
            consumers[victim] = stage.consume()
        result.tally.add(stage.compare())
    return result


def _kill_at_points(result: Result, home: Path, random: Random, *, on_postgres: bool) -> Result:
    rounds = result.planned // len(Point)
    stages = (rounds + 1) // 2
    points = list(Point) * rounds
    for stage in _stages(home, stages, random, result, on_postgres=on_postgres):
        some, points = points[: 2 * len(Point)], points[2 * len(Point) :]
        for point in random.sample(some, len(some)):
            _report_for(stage, random, 0)
            victim = stage.consume(point=point, nth=_nth(point, random))
            result.happened += _struck(stage, victim, random)
            successor = stage.consume()
            _judge(stage, result)
            successor.stop()
        result.tally.add(stage.compare())
    return result


def _nth(point: Point, random: Random) -> int:
    """A process takes over, begins and compacts fewer times than it reads and commits."""
    is_rare = point in {Point.TAKING_OVER, Point.BEGINNING}
    return 1 if point is Point.COMPACTING else random.randint(1, 3 * _PARTITIONS if is_rare else 6)


def _struck(stage: Stage, victim: Consumer, random: Random) -> bool:
    """Report until the consumer has died at its point; pause now and then, so that it compacts."""
    for _ in range(20):
        _report_for(stage, random, 0.5, while_alive=victim)
        deadline = time.monotonic() + 1.5
        while victim.is_alive and time.monotonic() < deadline:
            time.sleep(0.01)
        if not victim.is_alive:
            return victim.was_killed()
    return False


def _report_for(
    stage: Stage, random: Random, seconds: float, *, while_alive: Consumer | None = None
) -> None:
    """Report in all jobs, at least once."""
    deadline = time.monotonic() + seconds
    while True:
        stage.report(_some_job(random), random.randint(1, 8))
        if time.monotonic() >= deadline or (while_alive and not while_alive.is_alive):
            return
        time.sleep(0.005)


def _judge(stage: Stage, result: Result) -> None:
    """Once all is committed, compare; the stage's last comparison is what counts the events."""
    stage.wait_until_caught_up()
    found = stage.compare()
    found.events = 0
    result.tally.add(found)


def _content(stage: Stage, projection: str) -> list[bytes]:
    return [dump(stage.store, projection, job) for job in sorted(stage.jobs)]


def _some_job(random: Random) -> str:
    return f"job-{random.randrange(_JOBS)}"


def _stages(
    home: Path, count: int, random: Random, result: Result, *, on_postgres: bool
) -> Iterator[Stage]:
    """Yield so many new deployments, on one server."""
    with ExitStack() as exits:
        postgres = exits.enter_context(own_postgres()) if on_postgres else None
        if on_postgres and postgres is None:
            result.skipped = NO_POSTGRES
            return
        server = exits.enter_context(TestServer(home / "server"))
        for number in range(count):
            with ExitStack() as of_stage:
                url = of_stage.enter_context(postgres.database()) if postgres else None
                settings = Settings(
                    redis_url=server.url,
                    store_url=url,
                    data_dir=home / str(number),
                    namespace=f"n{number}",
                    partitions=_PARTITIONS,
                    lease_seconds=_LEASE_SECONDS,
                )
                stage = of_stage.enter_context(Stage(home / str(number), settings, random))
                yield stage.prepare()
