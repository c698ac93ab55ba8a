"""Whatever somebody else writes into the namespace, the views of other jobs go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.views import names as projections
from tests.support.odd_things import ODD_THINGS, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumers.store.parked import ParkedEvent
    from tests.support.scenes.stage import Stage
    from tests.support.servers import TestServer

MOST_PARKED = 1_000_000
LARGEST_MEMORY_KIB = 512 * 1024
_ON_ITS_JOB = {
    "bomb": "62914560 bytes",
    "bomb of lines": "lines",
    "two frames": "unused data",
    "large entry": "bytes",
    "many fields": "bytes",
    "job key of another type": "WRONGTYPE",
}
_ON_THE_PARTITION = {
    "pointer of another partition": "which is of partition",
    "pointer a year ahead": "ahead of the server's clock",
    "pointer of 2^63": "ahead of the server's clock",
    "job id with NUL": "id is not allowed",
    "job id of 10,000 characters": "id is not allowed",
    "job id that is no text": "no pointer",
    "no pointer": "no pointer",
}


def jobs_of(stage: Stage, partition: int, count: int) -> list[str]:
    found = (f"job-{n}" for n in range(10_000))
    return [job for job in found if stage.log.keys.partition(job) == partition][:count]


def each_parked(stage: Stage, projection: str, job: str) -> Sequence[ParkedEvent]:
    return stage.store.parked.list(projection, job_id=job, limit=MOST_PARKED)


@pytest.mark.parametrize("name", ODD_THINGS)
def test_every_other_job_is_projected_on(
    open_stage: Callable[..., Stage], server: TestServer, name: str
) -> None:
    stage = open_stage(1.5, partitions=2)
    honest, odd, after = jobs_of(stage, 1, 3)
    (elsewhere,) = jobs_of(stage, 0, 1)
    consumer = stage.consume()
    for job in (elsewhere, honest):
        stage.report(job, 5)
    stage.wait_until_caught_up(by=consumer)

    with server.client() as client:
        ODD_THINGS[name](Place(client, stage.log.keys, honest, odd))
    for job in (after, elsewhere, honest):
        stage.insist(job, 5)
    stage.wait_until_caught_up(by=consumer)
    tally = stage.settle([elsewhere, after])

    assert tally.is_clean, tally
    assert all(stage.store.jobs.load(each, [honest]) for each in projections())
    for job, reasons in ((odd, _ON_ITS_JOB), ("", _ON_THE_PARTITION)):
        if name in reasons:
            found = [event for each in projections() for event in each_parked(stage, each, job)]
            assert found
            assert all(reasons[name] in event.reason for event in found)
            assert all(len(event.raw) <= 64 * 1024 for event in found)
            assert len(found) <= 2 * len(projections())
    assert not any(each_parked(stage, each, after) for each in projections())
    assert consumer.peak_kib < LARGEST_MEMORY_KIB
    assert consumer.log == ""
    consumer.stop()
