"""Whether a run is alive, judged by the server's clock."""

from __future__ import annotations

import pytest

from synapse_stream.models import RunStatus
from synapse_stream.ports.views import Health, health
from tests.support.events import event, started
from tests.support.folding import Scene


def test_the_last_sign_is_that_of_the_servers_clock() -> None:
    told = Scene().says(started(), ms=5_000).says(started(1), by="p1", ms=9_000)

    assert told.attempt.last_sign_ms == 9_000
    assert [rank.last_sign_ms for rank in told.attempt.ranks] == [5_000, 9_000]


def test_what_is_known_already_is_no_sign_of_life() -> None:
    told = Scene().says(started(), ms=5_000)

    assert told.appends(told.batch(0), ms=900_000).attempt.last_sign_ms == 5_000


@pytest.mark.parametrize(
    ("age_seconds", "expected"),
    [
        (0, Health.ALIVE),
        (39.9, Health.ALIVE),
        (40, Health.SILENT),
        (119.9, Health.SILENT),
        (120, Health.LOST),
    ],
)
def test_health_is_judged_by_the_age_of_the_last_sign(age_seconds: float, expected: Health) -> None:
    told = Scene().says(started(), ms=1_000_000)

    assert told.state.health(1_000_000 + int(age_seconds * 1000)) is expected


def test_a_sign_withdraws_that_a_run_is_lost() -> None:
    told = Scene().says(started(), ms=1_000)
    assert told.state.health(200_000) is Health.LOST

    assert told.says(event("heartbeat"), ms=199_000).state.health(200_000) is Health.ALIVE


def test_a_run_that_has_ended_is_neither_silent_nor_lost() -> None:
    assert health(0, 10**12, RunStatus.CANCELLED) is Health.ENDED
