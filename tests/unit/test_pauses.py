"""How long whoever was refused waits, and by which clock ages are told."""

from __future__ import annotations

import time
from typing import Any

from synapse_stream.errors import LogUnavailable
from synapse_stream.log.pauses import pause_after
from synapse_stream.log.server_clock import ServerClock


def test_pauses_grow_to_a_bound_and_are_spread() -> None:
    pauses = [[pause_after(failures, 5.0) for _ in range(50)] for failures in range(1, 30)]

    assert all(0.05 <= pause <= 0.1 for pause in pauses[0])
    assert all(2.5 <= pause <= 5.0 for pause in pauses[-1])
    assert all(len(set(one)) > 40 for one in pauses)


class _Log:
    """A server whose clock is an hour ahead, or that is away."""

    asked = 0
    is_there = True

    def now_ms(self) -> int:
        self.asked += 1
        if not self.is_there:
            msg = "away"
            raise LogUnavailable(msg)
        return int(time.time() * 1000) + 3_600_000


def test_the_servers_clock_is_asked_once_in_a_while_and_kept_while_it_is_away() -> None:
    log: Any = _Log()
    told: list[LogUnavailable | None] = []
    clock = ServerClock(log, tell=told.append)
    ahead = [clock.now_ms() - time.time() * 1000 for _ in range(5)]
    log.is_there = False
    clock._asked_at -= 60
    ahead.append(clock.now_ms() - time.time() * 1000)

    assert all(3_599_000 < one < 3_601_000 for one in ahead)
    assert log.asked == len(told) == 2
    assert [fault is None for fault in told] == [True, False]
    assert clock.is_away
