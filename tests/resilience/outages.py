"""The server dies, loses its tail, or loses everything, while a plugin reports."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from synapse_stream.settings import MIB
from tests.support.scenes.audit import read_all
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from synapse_stream.log.event_log import EventLog


def kill_the_server(home: Path, count: int, random: Random) -> Result:
    """SIGKILL, a moment of absence, and a start on the same files."""
    result = Result("server killed and restarted", count)
    with TestServer(home / "server") as server, Scene(home / "plugin", server.url) as scene:
        log = scene.open_log()
        actor = scene.enter(threads=2, pause=0.002)
        actor.wait_for(20)
        for _ in range(count):
            time.sleep(random.uniform(0, 0.15))
            server.kill()
            time.sleep(random.uniform(0, 0.1))
            server.start()
            _wait_for_entries(log, _entries(log) + 1)
            result.happened += 1
        actor.stop()
        result.tally = scene.audit()
    return result


def put_back_the_server(home: Path, count: int, random: Random) -> Result:
    """An older copy of its files: what it had acknowledged since is gone, and must come again."""
    result = Result("server put back to an older AOF", count)
    lost = 0
    with TestServer(home / "server") as server, Scene(home / "plugin", server.url) as scene:
        log = scene.open_log()
        actor = scene.enter(threads=2, pause=0.002)
        actor.wait_for(20)
        for number in range(count):
            server.save_files(home / str(number))
            kept = _entries(log)
            more = random.randint(1, 60)
            _wait_for_entries(log, kept + more)
            server.put_back(home / str(number))
            lost += more
            _wait_for_entries(log, _entries(log) + 1)
            result.happened += 1
        actor.stop()
        result.tally = scene.audit()
    result.notes.append(f"at least {lost} acknowledged entries were taken away")
    return result


def flush_within_the_window(home: Path, count: int, random: Random) -> Result:
    """FLUSHALL, of a run that goes on and of one that has ended: both come again, completely."""
    result = Result("FLUSHALL, within the rewind window", count + 1)
    with TestServer(home / "server") as server, Scene(home / "plugin", server.url) as scene:
        log = scene.open_log()
        actor = scene.enter(threads=2, pause=0.001)
        for number in range(count + 1):
            if number == count:
                scene.enter(limit=100).join()
            actor.wait_for_more(random.randint(200, 800))
            _wait_for_entries(log, 1)
            result.happened += _flush(server) == 0
            _wait_for_entries(log, 1)
            founded = server.command("HGET", log.keys.config, "partitions")
            result.require(founded == b"16", f"the deployment was not founded again: {founded!r}")
        actor.stop()
        scene.adopt()
        result.tally = scene.audit()
    return result


def flush_beyond_the_window(home: Path, count: int, random: Random) -> Result:
    """FLUSHALL, after the spool has let go of its first segments: the gap is said, exactly."""
    result = Result("FLUSHALL, beyond the rewind window", count)
    tiny = {"spool_max_bytes": 64 * MIB, "rewind_bytes": 0}  # the smallest segments
    for number in range(count):
        with (
            TestServer(home / f"server-{number}") as server,
            Scene(home / str(number), server.url, **tiny) as scene,
        ):
            actor = scene.enter(pause=0.0005, weight=4000)
            actor.wait_for(1)
            _wait_until_dropped(scene, 2)
            actor.wait_for_more(random.randint(1, 100))
            _flush(server)
            actor.wait_for_more(300)
            actor.stop()
            _judge_gap(scene, result)
    return result


def _wait_until_dropped(scene: Scene, segments: int) -> None:
    wait_until(lambda: int(scene.segments()[0].stem) >= segments)


def _judge_gap(scene: Scene, result: Result) -> None:
    """See that exactly the calls are missing that the `loss` event stands for.

    A single voice's call n is event n + 1, behind `run_started`.
    """
    tally = scene.audit(may_lose=True)
    (story,) = tally.stories.values()
    said = {("0.0", number - 1) for gap in story.ranges for number in gap if number > 0}
    result.happened += len(said) > 0
    if tally.missing != said:
        unsaid = tally.missing ^ said
        tally.blame("lost", f"{len(unsaid)} calls differ from what the loss says", len(unsaid))
    if [gap.start for gap in story.ranges] != [0]:
        tally.blame("unknown", f"a gap elsewhere than at the beginning: {story.ranges}")
    result.notes.append(f"{len(said)} events recorded as missing, the first {story.ranges} numbers")
    result.tally.add(tally)


def _wait_for_entries(log: EventLog, count: int) -> None:
    wait_until(lambda: _entries(log) >= count)


def _flush(server: TestServer) -> int:
    """Empty the server; return how many keys it has at that very moment."""
    with server.client() as client, client.pipeline() as transaction:
        return int(transaction.flushall().dbsize().execute()[1])


def _entries(log: EventLog) -> int:
    return sum(1 for _ in read_all(log, "job"))
