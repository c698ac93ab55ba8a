"""Processes and servers that die under their clients."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.resilience.live.judge import judge, told_by
from tests.resilience.live.stand import JOBS, PAUSE_SECONDS, Stand, read_to_end, stand
from tests.support.scenes.api import ApiProcess
from tests.support.scenes.clock import NO_FAKETIME, ClockedServer, find_faketime
from tests.support.scenes.reader import pump
from tests.support.scenes.report import Result
from tests.support.scenes.scene import AGAIN, Scene
from tests.support.scenes.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.scenes.reader import Told
    from tests.support.scenes.scene import Actor

_JOB = "job"
_OFFSETS = (0, 0, -1, -60, -3600)
_LEAVE_SECONDS = 5.0


def restart_the_api(home: Path, count: int, random: Random) -> Result:
    """SIGTERM or SIGKILL of the API, while its clients follow; they come back to what they had."""
    result = Result("the API restarted under its clients", count)
    with stand(home, random) as here:
        _open_jobs(here)
        for number in range(count):
            here.go_on(10)
            is_killed = number % 2 == 1
            begun = time.monotonic()
            result.happened += here.api.kill() if is_killed else here.api.stop() == 0
            took = time.monotonic() - begun
            result.require(took < _LEAVE_SECONDS, f"it took {took:.1f} s to leave")
            for reader in here.readers:
                reader.until_the_end()
                result.require(reader.is_over or is_killed, "a stream was torn")
            here.go_on(2)
            here.api.start()
            here.connect_all()
        here.judge_all(result)
    return result


def restart_server_under_clients(home: Path, count: int, random: Random) -> Result:
    """SIGKILL of the server and a start on the same files: nothing is lost, so nobody is reset."""
    result = Result("server restarted under clients", count)
    with stand(home, random) as here:
        _open_jobs(here)
        for _ in range(count):
            here.go_on(10)
            here.server.kill()
            pump(here.readers, random.uniform(0, 0.5))
            here.server.start()
            result.happened += 1
        here.go_on(5)
        result.require(all(r.connects == 1 for r in here.readers), "a client was disconnected")
        here.judge_all(result)
    return result


def put_back_under_clients(home: Path, count: int, random: Random) -> Result:
    """An older copy of the server's files, the clock as it is or set back, and a live plugin.

    The plugin sends again what was lost. Clients are reset, and get no event of it again.
    """
    result = Result("server put back, clock too, under clients", count)
    faketime = find_faketime()
    if faketime is None:
        result.skipped = NO_FAKETIME
        return result
    with (
        ClockedServer(home / "server", faketime) as server,
        Scene(home / "plugin", server.url) as scene,
        Stage(home / "stage", scene.settings, random) as stage,
        ApiProcess(scene.settings, home / "api.log") as api,
    ):
        here = Stand(server, stage.prepare(), api, random)
        actor = scene.enter(job=_JOB, pause=0.004)
        actor.wait_for(20)
        for after in (None, "0-0", None):
            here.reader(_JOB, after=after).connect().until_kinds("event")
        for number in range(count):
            _put_back(here, server, actor, home / f"copy-{number}")
            for reader in here.readers:
                reader.until_kinds(*["reset"] * (number + 1))
            actor.wait_for_more(random.randint(1, 100))
            result.happened += 1
        actor.stop()
        _judge_lines(result, here)
        here.judge_api(result)
    return result


def _open_jobs(here: Stand) -> None:
    for job in JOBS:
        here.stage.report(job, 30)
        for after in (None, "0-0"):
            here.reader(job, after=after)
    here.connect_all()


def _put_back(here: Stand, server: ClockedServer, actor: Actor, copy: Path) -> None:
    """Let the server lose its newest entries, and its producer send them again."""
    server.save_files(copy)
    wanted = len(told_by(here.stage.log, _JOB)) + here.random.randint(5, 60)
    stream: list[Told] = []
    while len(stream) < wanted:
        pump(here.readers, PAUSE_SECONDS)
        stream = told_by(here.stage.log, _JOB)
    for reader in here.readers:  # who has not got what will be lost need not be reset
        reader.until(lambda reader: stream[-1] in reader.events)
    outages = actor.said(AGAIN)
    server.set_clock(server.offset + here.random.choice(_OFFSETS))
    server.put_back(copy)
    actor.wait_until_said(AGAIN, outages + 1)


def _judge_lines(result: Result, here: Stand) -> None:
    """Compare what clients got in all, resets or not, with the stream; positions have changed."""
    stream = told_by(here.stage.log, _JOB)
    lines = [(told.producer, told.line) for told in stream]
    for number, reader in enumerate(here.readers):
        read_to_end(reader, stream)
        got = [(told.producer, told.line) for told in reader.all_events]
        judge(result.tally, f"client {number}", lines[lines.index(got[0]) :], got)
        result.require(reader.connects == 1, f"client {number} was disconnected")
        reader.leave()
