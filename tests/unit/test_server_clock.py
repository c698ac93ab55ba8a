"""While the server is away no run is judged; after that each has the time to be heard again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from synapse_stream.errors import LogUnavailable
from synapse_stream.log import server_clock
from synapse_stream.log.server_clock import Away, ServerClock
from synapse_stream.models import RunStatus
from synapse_stream.ports.views import Health
from synapse_stream.ports.views.health import health

BEGIN = 1_763_880_000


class Time:
    """A clock that a test sets, and a server that has the same."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.is_there = True

    def now_ms(self) -> int:
        if not self.is_there:
            msg = "away"
            raise LogUnavailable(msg)
        return int((BEGIN + self.seconds) * 1000)

    def at(self, seconds: float) -> int:
        return int((BEGIN + seconds) * 1000)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    told = SimpleNamespace(time=lambda: BEGIN + made.seconds, monotonic=lambda: made.seconds)
    monkeypatch.setattr(server_clock, "time", told)
    return made


def judged(clock: ServerClock, sign_ms: int) -> Health:
    return health(sign_ms, clock.judging_ms(), RunStatus.RUNNING)


@pytest.mark.parametrize("how", ["asked", "told"])
def test_a_run_is_as_it_was_while_the_server_is_away(time: Time, how: str) -> None:
    log: Any = time
    clock = ServerClock(log)
    time.seconds = 5
    clock.heard()
    clock.now_ms()
    time.is_there, time.seconds = False, 145
    if how == "told":
        clock.missed()

    assert judged(clock, time.at(0)) is Health.ALIVE
    assert clock.away == Away(time.at(5), None)
    assert clock.judging_ms() == time.at(5)
    time.seconds = 500
    assert clock.judging_ms() == time.at(5)


def test_when_it_is_back_a_run_has_time_to_be_heard(time: Time) -> None:
    log: Any = time
    clock = ServerClock(log)
    clock.now_ms()
    clock.missed()
    time.seconds = 140
    clock.heard()
    assert [clock.away] == [Away(time.at(0), time.at(140))]

    assert judged(clock, time.at(-10)) is Health.ALIVE
    time.seconds = 175
    assert judged(clock, time.at(-10)) is Health.SILENT, "it is not heard even now"
    assert judged(clock, time.at(150)) is Health.ALIVE
    time.seconds = 261
    assert [clock.away] == [None]
    assert judged(clock, time.at(-10)) is Health.LOST


def test_who_was_stopped_with_the_server_has_not_heard_it(time: Time) -> None:
    log: Any = time
    clock = ServerClock(log)
    clock.heard()
    time.seconds = 140
    clock.heard()

    assert clock.away == Away(time.at(0), time.at(140))
    time.seconds = 141
    clock.heard()
    assert judged(clock, time.at(-10)) is Health.ALIVE


def test_one_that_only_asks_now_and_then_misses_nothing_between(time: Time) -> None:
    log: Any = time
    clock = ServerClock(log)
    clock.now_ms()
    time.seconds = 3600
    clock.now_ms()

    assert clock.away is None
