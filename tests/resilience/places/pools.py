"""Work that other processes do: all they reported is there by the time the run has ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from synapse_stream.ports.views import CompletenessStatus
from tests.resilience.places import pool_ways
from tests.resilience.places.judge import see_completed, shown
from tests.resilience.places.pooled import PoolRole
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

    from tests.support.scenes.audit import Tally

TASKS, CALLS = 6, 40
_HERE = [name for name in pool_ways.WAYS if name not in pool_ways.GUEST_WAYS]


def pools(home: Path, count: int, random: Random) -> Result:
    """Each way in turn, from a random one on; nobody adopts but the run itself."""
    result = Result("pools and children of all kinds", count)
    begin = random.randrange(len(_HERE))
    return play(result, home, [_HERE[(begin + n) % len(_HERE)] for n in range(count)])


def play(result: Result, home: Path, ways: Sequence[str], python: str = sys.executable) -> Result:
    """Play a run of each way."""
    with TestServer(home / "server") as server:
        for number, way in enumerate(ways):
            with Scene(home / str(number), server.url, namespace=f"n{number}") as scene:
                role = PoolRole("job", str(scene.home), pool=way, threads=TASKS, limit=CALLS)
                actor = scene.enter_as(role, python=python)
                status = actor.process.wait(120)
                result.require(status == 0, f"{way} ended with {status}: {actor.errors[-800:]}")
                if way in pool_ways.OUTLIVING:
                    _see_open(result, scene, way)
                tally = scene.audit()
                result.happened += len(tally.stories) > 1
                _judge(result, scene, way, tally)
    return result


def _see_open(result: Result, scene: Scene, way: str) -> None:
    attempt = shown(scene.settings, "job")
    is_open = attempt is not None and attempt.completeness.status is CompletenessStatus.OPEN
    result.require(is_open, f"{way}: children are missing, and it is shown {attempt}")
    scene.adopt()


def _judge(result: Result, scene: Scene, way: str, tally: Tally) -> None:
    made = tally.events == TASKS * CALLS
    result.require(made, f"{way}: {tally.events} of {TASKS * CALLS} calls were made")
    see_completed(result, scene.settings, "job")
    tally.problems[:] = [f"{way}: {problem}" for problem in tally.problems]
    result.tally.add(tally)
    again = sum(adoption.sent for adoption in scene.adopt())
    result.require(again == 0, f"{way}: {again} events had been left behind")
