"""Hosts that share a data directory and not their memory; locks cross them, or do not."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.resilience.places.judge import see_alive, see_completed, shown
from tests.resilience.places.troubled import TroubledRole
from tests.resilience.places.worlds import (
    NO_WORLDS,
    SHARED_MEMORY,
    World,
    is_possible,
    kill_within,
    standing_still,
)
from tests.support.scenes.audit import Audit
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.support.scenes.scene import Actor

_BLIND = Path(__file__).parent / "blind"
_NET = ("--net",)


def two_hosts(home: Path, count: int, random: Random) -> Result:
    """A plugin dies on one; whoever looks from the other one leaves all as it is."""
    return _crash(Result("2 hosts, one data directory", count), home, 2, random)


def three_hosts(home: Path, count: int, random: Random) -> Result:
    """The same of three."""
    return _crash(Result("3 hosts, one data directory", count), home, 3, random)


def hosts_without_locks(home: Path, count: int, random: Random) -> Result:
    """Neither locks nor leases show to others that a process lives, as on nolock mounts."""
    result = Result("2 hosts, no working locks", count)
    return _crash(result, home, 2, random, is_blind=True)


def hosts_taken_for_dead(home: Path, count: int, random: Random) -> Result:
    """A host stands still, somebody says that it is dead, and it goes on: all is there once."""
    result = Result("host that stood still, taken for dead", count)
    if not is_possible():
        result.skipped = NO_WORLDS
        return result
    with _stage(home, 2, is_blind=True) as stage:
        first, second = stage.hosts
        for number in range(count):
            actor = stage.enter(first, f"job-{number}", pause=0.002)
            actor.wait_for(random.randint(1, 100))
            stage.server.freeze()
            actor.wait_for_more(random.randint(1, 300))
            with standing_still(actor):
                stage.server.thaw()
                taken = second.drain(stage.scene.environ, "--from-dead-host", first.name)
                result.require(taken.returncode == 0, f"not taken: {taken.stdout}{taken.stderr}")
                attempt = shown(stage.scene.settings, actor.role.job)
                result.happened += attempt is not None and attempt.status.is_terminal
            actor.wait_for_more(random.randint(10, 300))
            actor.stop()
            for host in (second, first):
                host.drain(stage.scene.environ)
            stage.audit(actor, result, may_lose=True)
            see_completed(result, stage.scene.settings, actor.role.job)
    return result


@dataclass
class _Stage:
    """Hosts, the server that all reach by a socket of the shared directory, one run that lives."""

    scene: Scene
    server: TestServer
    hosts: list[World]

    def enter(self, host: World, job: str, **given: Any) -> Actor:
        role = TroubledRole(
            job=job,
            home=str(self.scene.home),
            worker=str(len(self.scene.actors)),
            trouble_at=(),
            **given,
        )
        return self.scene.enter_as(role, within=host.within)

    def audit(self, actor: Actor, result: Result, *, may_lose: bool = False) -> None:
        """Compare; a loss that was said may have been withdrawn, but nothing may be missing."""
        plugins = [(actor.role, actor.witness)]
        log, job = self.scene.open_log(), actor.role.job
        tally = Audit(log, job, plugins, may_lose=may_lose).run()
        if may_lose and tally.missing:
            which = f"{job}: {sorted(tally.missing)[:3]}"
            tally.blame("lost", which, len(tally.missing))
        result.tally.add(tally)


def _crash(
    result: Result, home: Path, hosts: int, random: Random, *, is_blind: bool = False
) -> Result:
    if not is_possible():
        result.skipped = NO_WORLDS
        return result
    with _stage(home, hosts, is_blind=is_blind) as stage:
        living = [stage.enter(host, f"living-{host.name}", pause=0.02) for host in stage.hosts]
        for actor in living:
            actor.wait_for(5)
        for number in range(result.planned):
            host = random.choice(stage.hosts)
            _crash_once(stage, host, f"job-{number}", random, result)
            for actor in living:
                see_alive(result, stage.scene.settings, actor.role.job)
        for actor in living:
            actor.wait_for_more(10)
            actor.stop()
            stage.audit(actor, result)
            see_completed(result, stage.scene.settings, actor.role.job)
    return result


def _crash_once(stage: _Stage, host: World, job: str, random: Random, result: Result) -> None:
    """Kill a plugin of a host; have all others look, then the host itself."""
    environ = stage.scene.environ
    actor = stage.enter(host, job, pause=0.001)
    actor.wait_for(random.randint(1, 50))
    is_away = random.random() < 0.5
    if is_away:
        stage.server.freeze()
        actor.wait_for_more(random.randint(1, 300))
    result.happened += kill_within(actor)
    if is_away:
        stage.server.thaw()
    others = [other for other in stage.hosts if other is not host]
    for other in random.sample(others, len(others)):
        seen = other.drain(environ)
        result.require(seen.returncode in {0, 1}, f"drain elsewhere: {seen.stderr[-500:]}")
    seen = host.drain(environ)
    result.require(seen.returncode in {0, 1}, f"drain at home: {seen.stderr[-500:]}")
    stage.audit(actor, result)


@contextmanager
def _stage(home: Path, count: int, *, is_blind: bool) -> Iterator[_Stage]:
    memory = SHARED_MEMORY / f"faults-{home.name}"
    memory.mkdir()
    home.mkdir(exist_ok=True)
    socket = home / "server.sock"
    config = {"unixsocket": str(socket)}
    try:
        with (
            ExitStack() as exits,
            TestServer(home / "server", config=config) as server,
            Scene(home / "shared", f"unix://{socket}", memory_dir=SHARED_MEMORY) as scene,
        ):
            if is_blind:
                scene.more_environ["PYTHONPATH"] = str(_BLIND)
            hosts = []
            for number in range(count):
                kept = memory / str(number)
                kept.mkdir(mode=0o1777)
                host = World(home, f"host-{number}", kept=kept, spaces=_NET)
                hosts.append(exits.enter_context(host))
            exits.callback(_end, scene)
            yield _Stage(scene, server, hosts)
    finally:
        shutil.rmtree(memory, ignore_errors=True)


def _end(scene: Scene) -> None:
    for actor in scene.actors:
        if actor.process.poll() is None:
            kill_within(actor)
