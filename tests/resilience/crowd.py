"""Many processes and threads on one job, forked children, a cluster that changes its primary."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.support.cluster import TestCluster
from tests.support.scenes.report import Result
from tests.support.scenes.scene import AGAIN, Scene
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.scenes.audit import Story

_PROCESSES, _THREADS = 8, 4
_ENDINGS = ("_exit", "exit", "multiprocessing")


def many_processes(home: Path, count: int, random: Random) -> Result:
    """8 processes of 4 threads, each making `count` calls as fast as it can, on one job."""
    result = Result(f"{_PROCESSES} processes x {_THREADS} threads, one job", _PROCESSES)
    with TestServer(home / "server") as server, Scene(home / "plugins", server.url) as scene:
        for rank in range(_PROCESSES):
            scene.enter(rank=rank, threads=_THREADS, limit=count)
        for actor in scene.actors:
            actor.join()
        scene.adopt()
        result.tally = scene.audit()
    ends = [story.last for story in result.tally.stories.values()]
    result.happened = len(ends)
    ranks = sorted(end["rank"] for end in ends if end["status"] == "completed")
    result.require(ranks == list(range(_PROCESSES)), f"not every rank has ended: {ends}")
    return result


def forks(home: Path, count: int, random: Random) -> Result:
    """Children forked amid the reports of other threads report too, and end in three ways."""
    endings = _ENDINGS * count
    result = Result("forked while reporting", len(endings))
    with TestServer(home / "server") as server, Scene(home / "plugin", server.url) as scene:
        actor = scene.enter(threads=2, pause=0.001, forks=endings)
        last_child = actor.role.threads + len(endings) - 1
        wait_until(lambda: actor.witness.returned(last_child) == actor.role.fork_limit, 60)
        actor.wait_for_more(50)
        actor.stop()
        scene.adopt()
        result.tally = scene.audit()
    stories = list(result.tally.stories.values())
    ends = [story.last for story in stories if _is_parent(story)]
    told = [end.get("status") for end in ends]
    result.require(told == ["completed"], f"the parent's run ended so: {ends}")
    children = [story.last for story in stories if not _is_parent(story)]
    result.happened = len(children)
    lost = [last for last in children if last["type"] == "producer_lost" and last["rank"] is None]
    left = [last for last in children if last["type"] == "end" and last["status"] is None]
    result.require(len(lost) == count, f"{count} children ended by _exit: {children}")
    result.require(len(left) == 2 * count, f"{2 * count} children ended orderly: {children}")
    return result


def cluster_promotion(home: Path, count: int, random: Random) -> Result:
    """The replica takes over; from the second time on because the primary is killed."""
    result = Result("cluster of 3, replica promoted", count)
    with TestCluster(home / "cluster") as cluster, Scene(home / "plugin", cluster.url) as scene:
        job = _job_with_replica(cluster, scene)
        actor = scene.enter(job=job, threads=2, pause=0.002)
        for number in range(count):
            primary = cluster.masters[0] if number % 2 == 0 else cluster.replica
            other = cluster.replica if number % 2 == 0 else cluster.masters[0]
            actor.wait_for_more(100)
            outages = actor.said(AGAIN)
            if number == 0:
                cluster.promote_replica()
            else:
                time.sleep(random.uniform(0, 0.1))
                cluster.kill(primary)
                _wait_for_role(other, "master")
            result.happened += _role(other) == "master"
            if number > 0:
                actor.wait_until_said(AGAIN, outages + 1)
                primary.start()
                _wait_for_role(primary, "slave")
            actor.wait_for_more(100)
        actor.stop()
        scene.adopt()
        result.tally = scene.audit()
    return result


def _is_parent(story: Story) -> bool:
    return story.types["run_started"] > 0


def _job_with_replica(cluster: TestCluster, scene: Scene) -> str:
    keys = scene.open_log().keys
    master = cluster.masters[0]
    names = (f"job-{number}" for number in range(1000))
    slot_of = ("CLUSTER", "KEYSLOT")
    return next(j for j in names if master.command(*slot_of, keys.job(j)) in cluster.first_slots)


def _wait_for_role(node: TestServer, role: str) -> None:
    def is_reached() -> bool:
        found = node.command("INFO", "replication")
        return (found["role"], found.get("master_link_status", "up")) == (role, "up")

    wait_until(is_reached)


def _role(node: TestServer) -> str:
    return str(node.command("INFO", "replication")["role"])
