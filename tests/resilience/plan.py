"""The fault plan: every scenario, with the counts of the whole and of the suite's part."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.resilience import agents, crowd, doors, kills, laws, network, outages, pressure, refusals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.scenes.report import Result

SEED = 20_251_123


class Scenario(NamedTuple):
    """A function of a directory, a count and a source of chance."""

    play: Callable[[Path, int, Random], Result]
    whole: int
    part: int

    @property
    def name(self) -> str:
        """Name for people and for choosing."""
        return self.play.__name__.replace("_", "-")

    def run(self, home: Path, count: int, seed: int) -> Result:
        """Play it with a chance of its own, so that it does not hang on what ran before."""
        begin = time.monotonic()
        result = self.play(home, count, Random(f"{seed} {self.name}"))
        result.seconds = time.monotonic() - begin
        return result


PLAN = (
    Scenario(kills.kill_while_reporting, 40, 1),
    Scenario(kills.kill_while_the_server_is_away, 20, 1),
    Scenario(kills.kill_while_segments_roll, 20, 1),
    Scenario(kills.kill_while_ending, 20, 1),
    Scenario(kills.tear_the_tail, 20, 2),
    Scenario(kills.kill_the_adopter, 10, 1),
    Scenario(outages.kill_the_server, 30, 3),
    Scenario(outages.put_back_the_server, 10, 2),
    Scenario(outages.flush_within_the_window, 1, 1),
    Scenario(outages.flush_beyond_the_window, 1, 1),
    Scenario(network.cut_connections, 100, 8),
    Scenario(network.half_open, 10, 1),
    Scenario(refusals.out_of_memory, 3, 1),
    Scenario(refusals.read_only_replica, 3, 1),
    Scenario(refusals.loading, 3, 1),
    Scenario(refusals.wrong_password, 3, 1),
    Scenario(refusals.forgotten_script, 10, 2),
    Scenario(refusals.disk_full, 3, 1),
    Scenario(refusals.read_only_spool, 2, 1),
    Scenario(crowd.many_processes, 5000, 200),
    Scenario(crowd.forks, 5, 1),
    Scenario(crowd.cluster_promotion, 3, 1),
    Scenario(pressure.bounded_spool, 4, 1),
    Scenario(pressure.no_room_at_all, 2, 1),
    Scenario(laws.append_laws, 4000, 160),
    Scenario(doors.kill_the_api, 100, 1),
    Scenario(doors.lose_http_replies, 200, 4),
    Scenario(doors.strike_http_requests, 300, 8),
    Scenario(doors.end_tokens, 200, 2),
    Scenario(agents.kill_the_agent, 100, 1),
    Scenario(agents.kill_the_api_behind_the_agent, 100, 1),
    Scenario(agents.strike_the_agents_requests, 300, 4),
    Scenario(agents.end_the_agents_tokens, 200, 1),
    Scenario(agents.tear_containers_down, 100, 1),
    Scenario(agents.strike_stream_requests, 100, 6),
)
