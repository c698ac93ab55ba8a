"""A container goes with all that runs in it, and half of what its plugin's spool was goes too."""

from __future__ import annotations

import shutil
import uuid
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.resilience.places.judge import see_alive, see_completed, see_missing_said
from tests.resilience.places.troubled import TroubledRole
from tests.resilience.places.worlds import NO_WORLDS, SHARED_MEMORY, World, is_possible
from tests.support.scenes.audit import Audit
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.support.scenes.audit import Tally
    from tests.support.scenes.scene import Actor


def memory_gone(home: Path, count: int, random: Random) -> Result:
    """Its processes are killed and its tmpfs is gone; the data directory is a volume."""
    return _tear_down(Result("container gone, volume kept", count), home, random, keeps="data")


def disk_gone(home: Path, count: int, random: Random) -> Result:
    """Its processes are killed and its layer is deleted; the shared memory is the host's."""
    return _tear_down(Result("container gone, memory kept", count), home, random, keeps="memory")


def rebooted(home: Path, count: int, random: Random) -> Result:
    """The whole machine starts anew under its name: nothing of before can live, and no memory."""
    return _tear_down(Result("machine rebooted", count), home, random, keeps="machine")


def _tear_down(result: Result, home: Path, random: Random, *, keeps: str) -> Result:
    if not is_possible():
        result.skipped = NO_WORLDS
        return result
    with TestServer(home / "server") as server:
        for number in range(result.planned):
            place = home / str(number)
            is_on_disk = keeps != "memory" and number % 3 == 2
            settings: dict[str, Any] = {"spool_memory_bytes": 0} if is_on_disk else {}
            settings["memory_dir"] = SHARED_MEMORY
            with (
                _memory(place.name if keeps == "memory" else None) as kept,
                Scene(place, server.url, namespace=f"n{number}", **settings) as scene,
            ):
                _play(result, scene, server, random, keeps, kept)
    return result


def _play(
    result: Result, scene: Scene, server: TestServer, random: Random, keeps: str, kept: Path | None
) -> None:
    data = scene.settings.data_dir
    is_machine = keeps == "machine"
    make = partial(World, machine=uuid.uuid4().hex) if is_machine else World.container
    with make(scene.home, "first", kept=kept) as world:
        actor = _enter(scene, world, random)
        actor.wait_for(random.randint(1, 300))
        if random.random() < 0.7:
            server.freeze()
            actor.wait_for_more(random.randint(1, 600))
        world.kill()
        actor.process.wait()
        result.happened += actor.process.returncode != 0
        server.thaw()
    if keeps == "memory":
        shutil.rmtree(data)
        data.mkdir()
    # some are started again under their old name
    name = "first" if is_machine else random.choice(("first", "second"))
    with make(scene.home / "again", name, kept=kept) as world:
        _take_over(result, scene, world, actor, random, is_proved=is_machine)
    _judge(result, scene, actor, is_machine=is_machine)


def _take_over(
    result: Result, scene: Scene, world: World, actor: Actor, random: Random, *, is_proved: bool
) -> None:
    """Take what is left from the next container, while a run lives in it."""
    living = _enter(scene, world, random, job="living")
    living.wait_for(10)
    seen = world.drain(scene.environ)
    if not _has_last_word(scene, actor):  # dead beyond doubt, and all of it was there
        is_named = "first" in seen.stdout and "job" in seen.stdout and not is_proved
        result.require(is_named, f"left behind and not named: {seen.stdout}{seen.stderr}")
        taken = world.drain(scene.environ, "--from-dead-host", "first")
        result.require(taken.returncode == 0, f"not taken: {taken.stdout}{taken.stderr}")
    again = world.drain(scene.environ)
    result.require(again.returncode == 0, f"something waits: {again.stdout}{again.stderr}")
    see_alive(result, scene.settings, "living")
    living.wait_for_more(10)
    living.stop()
    result.tally.add(_audit(scene, living))
    see_completed(result, scene.settings, "living")


def _enter(scene: Scene, world: World, random: Random, job: str = "job") -> Actor:
    role = TroubledRole(
        job=job,
        home=str(scene.home.parent / f"seen-{scene.home.name}"),
        worker=str(len(scene.actors)),
        pause=0.001,
        trouble_at=(),
        flush_every=random.choice((0, 10, 100)),
    )
    Path(role.home).mkdir(exist_ok=True)
    return scene.enter_as(role, within=world.within)


def _has_last_word(scene: Scene, actor: Actor) -> bool:
    """Whether the stream says that the plugin died."""
    tally = _audit(scene, actor, may_lose=True)
    return all(story.last.get("type") == "producer_lost" for story in tally.stories.values())


def _audit(scene: Scene, actor: Actor, *, may_lose: bool = False) -> Tally:
    plugins = [(actor.role, actor.witness)]
    return Audit(scene.open_log(), actor.role.job, plugins, may_lose=may_lose).run()


def _judge(result: Result, scene: Scene, actor: Actor, *, is_machine: bool) -> None:
    """What was promised is there: all that was on disk, all that `flush` has returned True for.

    A machine that starts anew may have been cut off before its disk had everything.
    """
    is_all_kept = scene.settings.spool_memory_bytes == 0
    tally = _audit(scene, actor, may_lose=is_machine or not is_all_kept)
    result.require(not (is_all_kept and tally.missing), f"not on disk: {sorted(tally.missing)[:3]}")
    role = actor.role
    assert isinstance(role, TroubledRole)
    promised = {call for call in tally.missing if call[1] < role.flushed}
    if promised:
        tally.blame("lost", f"{len(promised)} that flush has promised", len(promised))
    see_missing_said(tally, scene.settings, "job")
    result.notes += [f"{len(tally.missing)} missing, and said"] if tally.missing else []
    result.tally.add(tally)


@contextmanager
def _memory(name: str | None) -> Iterator[Path | None]:
    """Make a part of the machine's shared memory that outlives containers."""
    if name is None:
        yield None
        return
    path = SHARED_MEMORY / f"faults-{name}"
    path.mkdir(mode=0o1777)
    try:
        yield path
    finally:
        shutil.rmtree(path)
