"""Connections that are cut, and connections that nobody tells are dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.scenes.report import Result
from tests.support.scenes.scene import AGAIN, Scene
from tests.support.servers import Fault, FaultProxy, TestServer, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

_CUTS = (
    Fault.LOST_REQUEST,
    Fault.TORN_REQUEST,
    Fault.LOST_REPLY,
    Fault.TORN_REPLY,
    Fault.LATE_REQUEST,
)


def cut_connections(home: Path, count: int, random: Random) -> Result:
    """Cut appends before, in the middle of and after their execution, up to three in a row."""
    result = Result("connection cut", count)
    with (
        TestServer(home / "server") as server,
        FaultProxy(server.port) as proxy,
        Scene(home / "plugin", proxy.url, connect_seconds=0.3) as scene,
    ):
        actor = scene.enter(threads=2, pause=0.002)
        actor.wait_for(20)
        planned = 0
        while planned < count:
            fault = _CUTS[planned % len(_CUTS)]
            times = min(random.randint(1, 3), count - planned)
            planned += times
            outages = actor.said(AGAIN)
            proxy.plan(fault, times=times)
            _wait_for_faults(proxy, planned)
            actor.wait_until_said(AGAIN, outages + 1)
        actor.stop()
        result.happened = proxy.happened.total()
        result.tally = scene.audit(server.url)
    result.notes.append(", ".join(f"{n} {fault}" for fault, n in proxy.happened.items()))
    return result


def _wait_for_faults(proxy: FaultProxy, count: int) -> None:
    wait_until(lambda: proxy.happened.total() >= count)


def half_open(home: Path, count: int, random: Random) -> Result:
    """Swallow for `count` seconds all that is sent, without closing anything."""
    result = Result(f"half-open for {count} s", 1)
    with (
        TestServer(home / "server") as server,
        FaultProxy(server.port) as proxy,
        Scene(home / "plugin", proxy.url, connect_seconds=0.5) as scene,
    ):
        actor = scene.enter(threads=2, pause=0.002)
        actor.wait_for(random.randint(20, 100))
        proxy.half_open(600)
        wait_until(lambda: proxy.happened[Fault.HALF_OPEN])
        before, outages = actor.witness.total, actor.said(AGAIN)
        proxy.half_open(count)
        wait_until(lambda: actor.said(AGAIN) > outages, count + 30)
        during = actor.witness.total - before
        actor.stop()
        result.happened = int(proxy.happened[Fault.HALF_OPEN] > 0)
        result.tally = scene.audit(server.url)
    result.notes.append(f"{during} calls returned meanwhile")
    result.require(during > 50 * count, "the plugin waited for the network")
    return result
