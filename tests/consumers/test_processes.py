"""Consumer processes: they fold everything, share, hand over, and are replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from consumers.views import names as projections
from tests.consumers.groups import groups
from tests.support.dumps import dump
from tests.support.scenes.worker import Point
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.scenes.stage import Stage

    OpenStage = Callable[[float], Stage]

JOBS = [f"job-{number}" for number in range(8)]
PARTITIONS = 16
LONG, SHORT = 60.0, 0.6


def owners(stage: Stage, projection: str = "run-state") -> Counter[str | None]:
    """Return how many partitions each owner holds, None for those that nobody holds."""
    held = [at.owner for at in stage.store.leases.checkpoints(projection)]
    return Counter({None: PARTITIONS - len(held)} if len(held) < PARTITIONS else {}) + Counter(held)


def wait_for_shares(stage: Stage, *shares: int) -> Counter[str | None]:
    """Wait until every partition is held and the owners' shares are these."""

    def found() -> Counter[str | None] | None:
        held = owners(stage)
        return held if None not in held and sorted(held.values()) == sorted(shares) else None

    counted: Counter[str | None] = wait_until(found)
    return counted


def test_everything_is_folded_and_a_new_process_goes_on_where_the_last_one_ended(
    open_stage: OpenStage,
) -> None:
    stage = open_stage(LONG)
    first = stage.consume()
    for job in JOBS:
        stage.report(job, 60)
    stage.wait_until_caught_up()
    first.stop()
    for job in JOBS:
        stage.report(job, 40)
        stage.end(job)
    stage.consume()
    stage.wait_until_caught_up()

    tally = stage.compare()

    assert tally.problems == []
    assert tally.events > 3 * 90 * len(JOBS)


def test_two_processes_share_fairly_and_the_one_that_stays_takes_all(
    open_stage: OpenStage,
) -> None:
    stage = open_stage(1.5)
    first = stage.consume("run-state")
    wait_for_shares(stage, PARTITIONS)
    second = stage.consume("run-state")
    shared = wait_for_shares(stage, 8, 8)
    first.stop()
    stage.report(JOBS[0], 50)
    left = wait_for_shares(stage, PARTITIONS)

    assert left.keys() < shared.keys()
    assert second.is_alive
    stage.wait_until_caught_up(["run-state"])
    assert stage.compare(projections=["run-state"]).problems == []


def test_sigterm_ends_the_turn_and_gives_every_lease_back(open_stage: OpenStage) -> None:
    stage = open_stage(LONG)
    consumer = stage.consume()
    stage.report(JOBS[0], 200)
    wait_until(lambda: all(None not in owners(stage, name) for name in projections()))
    stage.report(JOBS[0], 200)

    consumer.signal(signal.SIGTERM)
    consumer.process.join(30)

    assert consumer.process.exitcode == 0
    assert all(owners(stage, name) == {None: PARTITIONS} for name in projections())
    assert all(stage.store.leases.join(name, "me", 1) == ["me"] for name in projections())


def test_a_dead_owners_partitions_are_taken_over_when_its_lease_has_lapsed(
    open_stage: OpenStage,
) -> None:
    stage = open_stage(SHORT)
    dead = stage.consume()
    wait_until(lambda: None not in owners(stage))
    assert dead.kill()
    stage.report(JOBS[0], 100)

    stage.consume()
    stage.wait_until_caught_up()

    assert stage.compare().problems == []


@pytest.mark.parametrize("projection", projections())
def test_an_owner_that_was_stopped_past_its_lease_writes_nothing(
    open_stage: OpenStage, projection: str
) -> None:
    stage = open_stage(SHORT)
    stalled = stage.consume(projection, point=Point.APPLIED, number=signal.SIGSTOP)
    wait_until(lambda: None not in owners(stage, projection))
    stage.report(JOBS[0], 100)
    wait_until(lambda: stalled.state == "T")
    stage.consume(projection)
    stage.wait_until_caught_up([projection])
    before = dump(stage.store, projection, JOBS[0])

    stalled.signal(signal.SIGCONT)

    assert stalled.wait_until_said("has lost partition")
    assert dump(stage.store, projection, JOBS[0]) == before
    assert stage.compare(projections=[projection]).problems == []


def test_redis_tools_see_the_committed_position_as_a_consumer_group(open_stage: OpenStage) -> None:
    stage = open_stage(LONG)
    stage.consume()
    stage.report(JOBS[0], 50)
    stage.wait_until_caught_up()
    partition = stage.log.keys.partition(JOBS[0])
    expected = dict.fromkeys(projections(), "{}-{}".format(*stage.log.feed_last(partition)))

    assert wait_until(lambda: groups(stage.log, partition) == expected)


def test_the_program_runs_all_projections_until_it_is_told_to_end(
    open_stage: OpenStage, tmp_path: Path
) -> None:
    stage = open_stage(LONG)
    stage.report(JOBS[0], 50)
    program = subprocess.Popen(
        [sys.executable, "-m", "consumers", "all"],
        env={**os.environ, **stage.environ},
        stderr=subprocess.PIPE,
    )
    try:
        stage.wait_until_caught_up()
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=30)
    finally:
        program.kill()
        program.wait()

    assert (program.returncode, said) == (0, b"")
    assert stage.compare().problems == []


def test_the_program_refuses_settings_that_are_wrong() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "consumers", "all"],
        env={**os.environ, "SYNAPSE_STREAM_LEASE_SECONDS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("python -m consumers: SYNAPSE_STREAM_LEASE_SECONDS='0'")
