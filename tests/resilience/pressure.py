"""A spool without room: what is given up, in which order, and that the count of it is exact."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from synapse_stream.settings import MIB
from tests.support.scenes import calls
from tests.support.scenes.report import Result
from tests.support.scenes.scene import AGAIN, Scene
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.scenes.audit import Story

_SHED_KINDS = ("dev_event", "metrics", "progress")


def bounded_spool(home: Path, count: int, random: Random) -> Result:
    """No server, and more reports than the smallest spool holds."""
    result = Result("spool full, server away", count)
    for number in range(count):
        memory = random.choice((16, 64)) * MIB
        story = _overfill(
            result, home / str(number), spool_max_bytes=16 * MIB, spool_memory_bytes=memory
        )
        result.happened += all(story.shed[kind] for kind in _SHED_KINDS)
        result.notes.append(f"given up: {dict(story.shed)}")
        _judge_order(result)
    return result


def no_room_at_all(home: Path, count: int, random: Random) -> Result:
    """No server, no directory to write to, and the process's memory used up: messages go too."""
    result = Result("no room anywhere, server away", count)
    for number in range(count):
        place = home / str(number)
        place.mkdir(parents=True)
        (place / "a-file").touch()
        nowhere = place / "a-file" / "spool"
        settings = {"spool_max_bytes": 16 * MIB, "spool_memory_bytes": 0, "spool_dir": nowhere}
        story = _overfill(result, place, **settings)
        result.happened += story.shed["message"] > 0
        result.notes.append(f"given up: {dict(story.shed)}")
    return result


def _overfill(result: Result, home: Path, **settings: Any) -> Story:
    """Report until all pressures were there, give the server back, and compare the counts."""
    server = TestServer(home / "server")
    with Scene(home / "plugin", server.url, **settings) as scene:
        actor = scene.enter(pause=0.002, weight=20_000)
        actor.wait_for(1000)
        with server:
            actor.wait_until_said(AGAIN)
            actor.wait_for_more(300)
            actor.stop()
            scene.adopt()
            tally = scene.audit(may_lose=True, by_kind=True)
    (story,) = tally.stories.values()
    missing = Counter(calls.kind_of(number) for _, number in tally.missing)
    if missing != story.shed:
        unsaid = sum(((missing - story.shed) + (story.shed - missing)).values())
        tally.blame("lost", f"{missing} are missing, {story.shed} were said", unsaid)
    result.tally.add(tally)
    result.tally.missing = tally.missing
    return story


def _judge_order(result: Result) -> None:
    """Dev events go first, then nine of ten metrics and progress reports, never anything else."""
    missing = sorted(number for _, number in result.tally.missing)
    first = {kind: _first(missing, kind) for kind in calls.KINDS}
    result.require(first["message"] is None, f"message {first['message']} was given up")
    result.require(first["log"] is None, f"log {first['log']} was given up")
    begin, thinned = first["dev_event"] or 0, min(first["metrics"] or 0, first["progress"] or 0)
    result.require(begin < thinned, f"dev events from {begin}, others from {thinned}")
    for kind in ("metrics", "progress"):
        gone = {number for number in missing if calls.kind_of(number) == kind}
        while_thinned = range(min(gone, default=0), max(gone, default=0))
        kept = [n for n in while_thinned if calls.kind_of(n) == kind and n not in gone]
        result.require(len(kept) > 0, f"no {kind} report was kept among those given up")


def _first(missing: list[int], kind: str) -> int | None:
    return next((number for number in missing if calls.kind_of(number) == kind), None)
