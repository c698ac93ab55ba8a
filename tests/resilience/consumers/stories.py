"""Runs that Hypothesis makes up, projected by consumers that are killed at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given
from hypothesis import seed as seeded
from hypothesis import settings as options
from hypothesis import strategies as st

from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.scenes.report import Result
from tests.support.scenes.stage import Stage
from tests.support.servers import TestServer
from tests.support.strategies import event_lists

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from synapse_stream.entries.batch import Batch

    Run = list[list[bytes]]  # the lines of each of its producers

_LEASE_SECONDS = 0.6
_LARGEST_BATCH = 20
_RUNS_A_KILL = 20


def project_random_runs(home: Path, count: int, random: Random) -> Result:
    """Append runs of any events and of several producers, while one of two consumers is killed."""
    result = Result("random runs, consumers killed", count)
    kills = 0
    with TestServer(home / "server") as server:
        settings = Settings(
            redis_url=server.url,
            data_dir=home / "data",
            partitions=4,
            lease_seconds=_LEASE_SECONDS,
        )
        with Stage(home / "stage", settings, random) as stage:
            consumers = [stage.prepare().consume(), stage.consume()]
            for number, run in enumerate(_made_up(count, random)):
                chains = [Chain(f"run-{number}", f"producer-{n}") for n in range(len(run))]
                stage.jobs[chains[0].job_id] = chains[0]
                for batch in _batches(chains, run, random):
                    stage.log.append(batch)
                result.happened += 1
                if number % _RUNS_A_KILL == _RUNS_A_KILL // 2:
                    victim = random.randrange(2)
                    kills += consumers[victim].kill()
                    consumers[victim] = stage.consume()
            stage.wait_until_caught_up()
            result.tally.add(stage.compare())
    result.require(kills >= count // _RUNS_A_KILL, f"only {kills} consumers were killed")
    result.notes.append(f"{kills} consumers were killed")
    return result


def _made_up(count: int, random: Random) -> list[Run]:
    """Return so many runs, those that come first among the simplest."""
    found: list[Run] = []

    @seeded(random.getrandbits(32))
    @options(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(run=st.lists(event_lists(), min_size=1, max_size=3))
    def note(run: Run) -> None:
        found.append(run)

    note()
    return found


def _batches(chains: list[Chain], run: Run, random: Random) -> Iterator[Batch]:
    """Cut what producers have to say into batches, in some order between producers."""
    left = [number for number, lines in enumerate(run) if lines]
    while left:
        number = random.choice(left)
        begin = chains[number].last + 1
        lines = run[number][begin : begin + random.randint(1, _LARGEST_BATCH)]
        yield chains[number].add_data(b"".join(line + b"\n" for line in lines), len(lines))
        if chains[number].last + 1 == len(run[number]):
            left.remove(number)
