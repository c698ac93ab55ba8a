"""Servers and databases that go away, lose their tail, are locked or full, under consumers."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from consumers.views import names as projections
from synapse_stream.settings import Settings
from tests.resilience.refusals import NO_MOUNT
from tests.support.postgres import NO_POSTGRES
from tests.support.scenes.audit import Audit, read_all
from tests.support.scenes.clock import NO_FAKETIME, ClockedServer, find_faketime
from tests.support.scenes.report import Result
from tests.support.scenes.scene import AGAIN, Scene
from tests.support.scenes.stage import GOES_ON, Stage, own_postgres
from tests.support.scenes.worker import Point
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from tests.support.scenes.scene import Actor
    from tests.support.scenes.stage import Consumer

_JOB = "job"
_WAITS = " waits: "
_OFFSETS = (0, -1, -5, -60, -3600)
_LEASE_SECONDS = 1.0
_PROJECTORS = len(projections())
"""How many a consumer of all has: each says a fault once."""


def put_back_under_consumers(home: Path, count: int, random: Random) -> Result:
    """An older copy of the server's files, the clock as it is or set back, and a live producer.

    In half of the cases the consumer is stopped meanwhile: then it has no error to notice it by.
    """
    result = Result("server put back, clock too, under consumers", count)
    faketime = find_faketime()
    if faketime is None:
        result.skipped = NO_FAKETIME
        return result
    with (
        ClockedServer(home / "server", faketime) as server,
        Scene(home / "plugin", server.url, lease_seconds=_LEASE_SECONDS) as scene,
        Stage(home / "stage", scene.settings, random) as stage,
    ):
        actor = scene.enter(job=_JOB, pause=0.004)
        actor.wait_for(20)
        stage.prepare().consume()
        taken = sum(
            _put_back(home / f"copy-{n}", server, stage, actor, random) for n in range(count)
        )
        result.happened = actor.said(AGAIN)
        actor.stop()
        result.tally.add(Audit(stage.log, _JOB, [(actor.role, actor.witness)]).run())
        result.tally.add(stage.settle([_JOB], positions=False))
        consumer = stage.consumers[-1]
        result.require(consumer.is_alive, f"the consumer ended: {consumer.log}")
    result.notes.append(f"at least {taken} acknowledged entries were taken away")
    result.notes.append(f"in the end the server's clock was {-server.offset} s behind")
    return result


def restart_server_under_consumers(home: Path, count: int, random: Random) -> Result:
    """SIGKILL of the server and a start on the same files."""
    result = Result("server restarted under consumers", count)
    # Nobody sends again what is lost; `everysec` puts writing off while the disk is slow.
    given = {"appendfsync": "no"}
    with (
        TestServer(home / "server", config=given) as server,
        _stage(home, server, random) as stage,
    ):
        consumer = stage.consume()
        for number in range(count):
            _report_and_wait(stage, random)
            before = consumer.said(GOES_ON)
            server.kill()
            consumer.wait_until_said(_WAITS, _PROJECTORS * (number + 1))
            time.sleep(random.uniform(0, 0.3))
            server.start()
            consumer.wait_until_said(GOES_ON, before + _PROJECTORS)
            result.happened += 1
        _judge(result, stage, consumer, random)
        _judge_words(result, consumer, _PROJECTORS * count)
    return result


def restart_database(home: Path, count: int, random: Random) -> Result:
    """PostgreSQL crashes and starts again."""
    result = Result("PostgreSQL crashed under consumers", count)
    with own_postgres() as postgres:
        if postgres is None:
            result.skipped = NO_POSTGRES
            return result
        with (
            postgres.database() as url,
            TestServer(home / "server") as server,
            _stage(home, server, random, store_url=url) as stage,
        ):
            consumer = stage.consume()
            for number in range(count):
                _report_and_wait(stage, random)
                stage.report(_JOB, 50)
                postgres.crash()
                stage.report(_JOB, 50)
                consumer.wait_until_said(_WAITS, _PROJECTORS * (number + 1))
                postgres.start()
                consumer.wait_until_said(GOES_ON, _PROJECTORS * (number + 1))
                result.happened += 1
            _judge(result, stage, consumer, random)
            _judge_words(result, consumer, _PROJECTORS * count)
            stage.store.close()
    return result


def lock_the_database(home: Path, count: int, random: Random) -> Result:
    """Another program holds SQLite's write lock for longer than the consumer waits for it."""
    result = Result("database is locked", count)
    with TestServer(home / "server") as server, _stage(home, server, random) as stage:
        consumer = stage.consume("message-feed", busy_seconds=0.2)
        file = stage.settings.data_dir / "views" / "message-feed.db"
        for number in range(count):
            _report_and_wait(stage, random, "message-feed")
            with closing(sqlite3.connect(file, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                stage.report(_JOB, 30)
                consumer.wait_until_said("is locked", number + 1)
                time.sleep(random.uniform(0, 1))
                other.execute("ROLLBACK")
            consumer.wait_until_said(GOES_ON, number + 1)
            result.happened += 1
        _judge(result, stage, consumer, random, "message-feed")
        _judge_words(result, consumer, count)
    return result


def fill_the_database_disk(home: Path, count: int, random: Random) -> Result:
    """The disk of the SQLite files is full for a while."""
    result = Result("database's disk full", count)
    with (
        _small_disk(home / "disk") as disk,
        TestServer(home / "server") as server,
        _stage(home, server, random, store_url=f"sqlite:///{disk}/views") as stage,
    ):
        if disk is None:
            result.skipped = NO_MOUNT
            return result
        consumer = stage.consume("message-feed")
        for number in range(count):
            _report_and_wait(stage, random, "message-feed")
            ballast = _fill(disk)
            while not consumer.said("no room left") > number:
                stage.report(_JOB, 200)
                time.sleep(0.02)
            ballast.unlink()
            consumer.wait_until_said(GOES_ON, number + 1)
            result.happened += 1
        _judge(result, stage, consumer, random, "message-feed")
    return result


def _put_back(copy: Path, server: ClockedServer, stage: Stage, actor: Actor, random: Random) -> int:
    """Let the server lose its newest entries, and its producer send them again; return how many."""
    consumer = stage.consumers[-1]
    server.save_files(copy)
    kept, more = _entries(stage), random.randint(5, 60)
    wait_until(lambda: _entries(stage) >= kept + more)
    if random.random() < 0.5:
        consumer = _stopped_at_work(stage, consumer)
    outages = actor.said(AGAIN)
    server.set_clock(server.offset + random.choice(_OFFSETS))
    server.put_back(copy)
    actor.wait_until_said(AGAIN, outages + 1)
    actor.wait_for_more(random.randint(1, 100))
    consumer.signal(signal.SIGCONT)
    return more


def _stopped_at_work(stage: Stage, consumer: Consumer) -> Consumer:
    """Put one in its place that stops itself between a read and the next."""
    consumer.stop()
    successor = stage.consume(point=Point.COMMITTED, nth=3, number=signal.SIGSTOP)
    wait_until(lambda: successor.state == "T")
    return successor


def _report_and_wait(stage: Stage, random: Random, *projections: str) -> None:
    stage.report(_JOB, random.randint(1, 100))
    stage.wait_until_caught_up(projections)


def _judge(
    result: Result, stage: Stage, consumer: Consumer, random: Random, *projections: str
) -> None:
    _report_and_wait(stage, random, *projections)
    result.tally.add(stage.compare(projections=projections))
    result.require(consumer.is_alive, f"the consumer ended: {consumer.log}")
    consumer.stop()


def _judge_words(result: Result, consumer: Consumer, faults: int) -> None:
    """See that each fault was said once by each projection, and that each is over."""
    said, over = consumer.said(_WAITS), consumer.said(GOES_ON)
    told = f"{faults} faults, {said} said, {over} over: {consumer.log}"
    result.require(said == over == faults, told)


@contextmanager
def _stage(
    home: Path, server: TestServer, random: Random, *, store_url: str | None = None
) -> Iterator[Stage]:
    given = Settings(
        redis_url=server.url,
        store_url=store_url,
        data_dir=home / "data",
        lease_seconds=_LEASE_SECONDS,
    )
    with Stage(home / "stage", given, random) as stage:
        yield stage.prepare()


def _entries(stage: Stage) -> int:
    return sum(1 for _ in read_all(stage.log, _JOB))


@contextmanager
def _small_disk(path: Path) -> Iterator[Path | None]:
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _fill(disk: Path) -> Path:
    """Use up all room of a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    return ballast
