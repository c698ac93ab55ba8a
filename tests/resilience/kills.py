"""SIGKILL of the plugin, in all that it may be doing, and of whoever takes over what it left."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from synapse_stream.producer.spool.segment import used_bytes
from synapse_stream.settings import MIB
from tests.support.scenes.audit import read_all
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    from tests.support.scenes.scene import Actor

_ATTEMPTS = 5
_SMALL_SEGMENTS = {"spool_max_bytes": 64 * MIB}
_FRAGMENTS = (
    b'{"seq":%d,"time":17',
    b'{"seq":%d,"ti\0\0\0\0\0\0\0\0"content":"torn"}\n',
    b'{"seq":%d,"time":1,"type":"message","v":1,"content":"0.0 999999 "}',
)


def kill_while_reporting(home: Path, count: int, random: Random) -> Result:
    """Kill it at a random moment, its first millisecond included."""
    result = Result("plugin killed", count)
    with TestServer(home / "server") as server:
        for scene in _scenes(home, server, count):
            voices = {"threads": random.choice((1, 1, 4)), "pause": random.choice((0.0, 0.001))}
            actor = scene.enter(**voices)
            if random.random() < 0.9:
                actor.wait_for(1)
            time.sleep(random.uniform(0, 0.3))
            result.happened += actor.kill()
            _settle(scene, random, result)
    return result


def kill_while_the_server_is_away(home: Path, count: int, random: Random) -> Result:
    """Kill it when the server has nothing of its events yet."""
    result = Result("plugin killed, server away", count)
    server = TestServer(home / "server")
    for scene in _scenes(home, server, count):
        actor = scene.enter(threads=random.choice((1, 4)), pause=random.choice((0.0, 0.001)))
        actor.wait_for(1)
        time.sleep(random.uniform(0, 0.3))
        result.happened += actor.kill()
        with server:
            _settle(scene, random, result)
    return result


def kill_while_segments_roll(home: Path, count: int, random: Random) -> Result:
    """Kill it between new segments, moves to disk and removals."""
    result = Result("plugin killed, segments rolling", count)
    rolled = moved = 0
    with TestServer(home / "server") as server:
        tight = {**_SMALL_SEGMENTS, "spool_memory_bytes": 8 * MIB, "rewind_bytes": 6 * MIB}
        for scene in _scenes(home, server, count, **tight):
            actor = scene.enter(threads=random.choice((1, 2)), pause=0.0003, weight=2000)
            actor.wait_for(1)
            _wait_for_segment(scene, random.randint(3, 7))
            time.sleep(random.uniform(0, 0.1))
            result.happened += actor.kill()
            rolled += int(scene.segments()[-1].stem)
            moved += len(list(scene.settings.spool_root.glob("*/*.seg")))
            _settle(scene, random, result)
    result.notes.append(f"{rolled} segments were full, {moved} of them moved to disk and kept")
    result.require(rolled >= count, "void: no segment was rolled")
    return result


def kill_while_ending(home: Path, count: int, random: Random) -> Result:
    """Kill it in `end_log` or later, while it waits for a frozen server or just before it exits."""
    result = Result("plugin killed, ending its run", count)
    ends = 0
    with TestServer(home / "server") as server:
        for scene in _scenes(home, server, count):
            result.happened += _killed_at_end(scene, server, random)
            last = _settle(scene, random, result)
            ends += any(event["type"] == "end" for event in last)
    result.notes.append(f"{ends} of {count} had recorded their end")
    return result


def tear_the_tail(home: Path, count: int, random: Random) -> Result:
    """Leave half a line behind the last, as a copy does that SIGKILL interrupts."""
    result = Result("torn tail", count)
    with TestServer(home / "server") as server:
        for number, scene in enumerate(_scenes(home, server, count)):
            actor = scene.enter(pause=0.001)
            actor.wait_for(random.randint(1, 200))
            actor.kill()
            result.happened += _torn(scene.segments(), _FRAGMENTS[number % len(_FRAGMENTS)])
            _settle(scene, random, result)
    return result


def kill_the_adopter(home: Path, count: int, random: Random) -> Result:
    """Kill an adopter in the middle of what it sends, then another, then let a third finish."""
    result = Result("adopter killed", 2 * count)
    server = TestServer(home / "server")
    for scene in _scenes(home, server, count, **_SMALL_SEGMENTS):
        actor = scene.enter(limit=4000, pause=0.0002, weight=2000)
        actor.wait_for(3500)
        actor.kill()
        with server:
            result.happened += _killed_adopter(scene, random) + _killed_adopter(scene, random)
            _settle(scene, random, result)
    return result


def _wait_for_segment(scene: Scene, index: int) -> None:
    wait_until(lambda: int(scene.segments()[-1].stem) >= index)


def _scenes(home: Path, server: TestServer, count: int, **settings: Any) -> Iterator[Scene]:
    for number in range(count):
        with Scene(home / str(number), server.url, namespace=f"n{number}", **settings) as scene:
            yield scene


def _settle(scene: Scene, random: Random, result: Result) -> list[dict[str, Any]]:
    """Adopt what is left in one of the three ways, audit, and see that nothing is sent twice."""
    killed = [actor for actor in scene.actors if actor.process.returncode == -signal.SIGKILL]
    ways: tuple[Callable[[Scene], None], ...] = (_adopt_here, _adopt_by_drain, _adopt_by_keeper)
    random.choice(ways)(scene)
    again = scene.adopt()
    tally = scene.audit()
    result.tally.add(tally)
    result.require(sum(a.sent for a in again) == 0, f"adopted twice: {again}")
    last = [story.last for story in tally.stories.values()]
    declared = {event["pid"] for event in last if event["type"] == "producer_lost"}
    for actor in killed:
        is_known = actor.process.pid in declared or actor.witness.is_ending
        never_spoke = actor.witness.total == 0
        result.require(is_known or never_spoke, f"{actor.process.pid} died, and no event says so")
    return last


def _adopt_here(scene: Scene) -> None:
    scene.adopt()


def _adopt_by_drain(scene: Scene) -> None:
    status = scene.start("synapse_stream.cli", "drain").wait(60)
    assert status == 0, f"drain ended with {status}"


def _adopt_by_keeper(scene: Scene) -> None:
    """Let the next plugin on this host do it, in passing."""
    left = {path.parent.name for path in scene.segments()}
    log = scene.open_log()
    successor = scene.enter(pause=0.01)
    wait_until(lambda: left <= _finished(log) or successor.process.poll() is not None)
    successor.stop()


def _finished(log: Any) -> set[str]:
    batches = [recorded.batch for recorded in read_all(log, "job") if recorded.batch]
    words = (b'"type":"producer_lost"', b'"type":"end"')
    return {b.producer for b in batches if any(word in b.lines()[-1] for word in words)}


def _killed_at_end(scene: Scene, server: TestServer, random: Random) -> bool:
    """Kill plugins that are about to end until one was quick enough to be killed."""
    for _ in range(_ATTEMPTS):
        is_frozen = random.random() < 0.5
        actor = scene.enter(limit=random.randint(20, 200), pause=0.001)
        actor.wait_for(10)
        if is_frozen:
            server.freeze()
        _wait_for_the_end(actor)
        time.sleep(random.uniform(0, 0.3 if is_frozen else 0.01))
        was_killed = actor.kill()
        if is_frozen:
            server.thaw()
        if was_killed:
            return True
    return False


def _wait_for_the_end(actor: Actor) -> None:
    while not actor.witness.is_ending and actor.process.poll() is None:
        time.sleep(0.0002)


def _torn(segments: list[Path], fragment: bytes) -> bool:
    written = [path for path in segments if used_bytes(path.read_bytes())]
    if not written:
        return False
    content = written[-1].read_bytes()
    number = content.count(b"\n")
    with written[-1].open("r+b") as file:
        file.seek(used_bytes(content))
        file.write(fragment % number)
    return True


def _killed_adopter(scene: Scene, random: Random) -> bool:
    """Let an adopter die soon after one of its first appends; False when it did not get there."""
    moment = random.choice((0.0, random.uniform(0, 5)))
    adopter = scene.start("tests.resilience.adopter", str(random.randint(1, 4)), str(moment))
    return adopter.wait(60) == -signal.SIGKILL
