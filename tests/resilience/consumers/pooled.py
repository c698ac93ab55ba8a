"""Consumers whose PostgreSQL stands behind a pooler that cuts connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.settings import Settings
from tests.support.pgbouncer import Pooler
from tests.support.postgres import NO_POSTGRES
from tests.support.scenes.report import Result
from tests.support.scenes.stage import Stage, own_postgres
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

_JOBS = [f"job-{number}" for number in range(6)]


def cut_connections_of_a_pooler(home: Path, count: int, random: Random) -> Result:
    """Every session that PgBouncer lends is ended, in the middle of what it does; two consumers."""
    result = Result("connections of a pooler cut", count)
    with own_postgres() as postgres:
        if postgres is None:
            result.skipped = NO_POSTGRES
            return result
        with (
            postgres.database() as url,
            Pooler(url) as pooler,
            TestServer(home / "server") as server,
            _stage(home, server.url, pooler.url, random) as stage,
        ):
            consumers = [stage.consume(), stage.consume()]
            while result.happened < count:
                for job in _JOBS:
                    stage.report(job, random.randint(1, 40))
                result.happened += pooler.cut() > 0
                stage.report(random.choice(_JOBS), 40)
                stage.wait_until_caught_up()
            result.tally.add(stage.compare())
            for consumer in consumers:
                result.require(consumer.is_alive, f"a consumer ended: {consumer.log}")
                consumer.stop()
            stage.store.close()
    return result


def _stage(home: Path, redis_url: str, store_url: str, random: Random) -> Stage:
    given = Settings(
        redis_url=redis_url, store_url=store_url, data_dir=home / "data", lease_seconds=1.0
    )
    return Stage(home / "stage", given, random).prepare()
