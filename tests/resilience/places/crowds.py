"""Many short runs at once, beside those who adopt what dead ones left."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.resilience.places.judge import hammered, see_completed
from tests.resilience.places.troubled import BEFORE, TroubledRole
from tests.support.scenes.audit import Audit
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer, free_port, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.scenes.scene import Actor

_AT_ONCE = 40
_CHILDREN = 20
_WORKERS = 5


def short_runs(home: Path, count: int, random: Random) -> Result:
    """Begin and end within a second, 40 at once, beside `up` and an adopter that never rests."""
    result = Result(f"short runs, {_AT_ONCE} at once, beside `up`", count)
    with TestServer(home / "server") as server, Scene(home / "plugins", server.url) as scene:
        up = _start_up(scene)
        try:
            with hammered(scene, result):
                limits = [random.randint(1, 12) for _ in range(count)]
                _play_at_once(scene, limits)
            result.require(up.poll() is None, "`up` ended early")
        finally:
            up.terminate()
            up.wait()
        scene.adopt()
        _judge(scene, result)
    return result


def short_children(home: Path, count: int, random: Random) -> Result:
    """Forked children that report once and are gone, 20 a run, beside an adopter."""
    result = Result("forked children that report once", count * _CHILDREN)
    with TestServer(home / "server") as server, Scene(home / "plugins", server.url) as scene:
        with hammered(scene, result):
            for number in range(count):
                endings = tuple(random.choices(("_exit", "exit", "multiprocessing"), k=_CHILDREN))
                actor = scene.enter(job=f"job-{number}", limit=5, forks=endings, fork_limit=1)
                actor.join()
        scene.adopt()
        for actor in scene.actors:
            result.happened += sum(actor.witness.returned(1 + n) for n in range(_CHILDREN))
            _judge_one(scene, actor, result)
    return result


def _start_up(scene: Scene) -> subprocess.Popen[bytes]:
    words = ("-m", "synapse_stream.cli", "up", "--port", str(free_port()))
    said = scene.home / "up"
    with said.open("wb") as file:
        up = subprocess.Popen(
            [sys.executable, *words], env=scene.environ, stdout=file, stderr=subprocess.STDOUT
        )
    wait_until(lambda: b"is ready" in said.read_bytes() or up.poll() is not None)
    return up


def opened_at_once(home: Path, count: int, random: Random) -> Result:
    """Workers open the same job in the same moment, none with a rank: one of them is rank 0."""
    result = Result("one job, opened by 5 at once", count)
    with TestServer(home / "server") as server:
        for number in range(count):
            place = home / str(number)
            with Scene(place, server.url, namespace=f"n{number}") as scene:
                scene.more_environ["FAULTS_START"] = str(place / "start")
                given: dict[str, Any] = {
                    "trouble": "wait-for-others",
                    "trouble_at": (BEFORE,),
                    "pause": 0.02,
                }
                for worker in range(_WORKERS):
                    role = TroubledRole("job", str(place), str(worker), None, **given)
                    scene.enter_as(role)
                time.sleep(random.uniform(0.5, 1))  # how long a start takes
                (place / "start").touch()
                for actor in scene.actors:
                    actor.wait_for(10)
                result.happened += 1
                _stop_all(scene)
                scene.adopt()
                result.tally.add(scene.audit())
                see_completed(result, scene.settings, "job")
    return result


def _stop_all(scene: Scene) -> None:
    """Have all end their runs in one moment, whoever the first may be."""
    for actor in scene.actors:
        actor.witness.stop()
    for actor in scene.actors:
        actor.join()


def _play_at_once(scene: Scene, limits: list[int]) -> None:
    def play(number: int) -> None:
        scene.enter(job=f"job-{number}", worker=str(number), limit=limits[number]).join()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(play, range(len(limits))))


def _judge(scene: Scene, result: Result) -> None:
    for actor in scene.actors:
        result.happened += actor.process.returncode == 0
        _judge_one(scene, actor, result)


def _judge_one(scene: Scene, actor: Actor, result: Result) -> None:
    log = scene.open_log()
    result.tally.add(Audit(log, actor.role.job, [(actor.role, actor.witness)]).run())
    see_completed(result, scene.settings, actor.role.job)
