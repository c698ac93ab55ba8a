"""Descriptors closed under a plugin, threads forbidden, its log broken: it reports on."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.resilience.places.judge import hammered, see_alive, see_completed
from tests.resilience.places.troubled import BEFORE, TroubledRole
from tests.support.scenes.audit import read_all
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from synapse_stream.log.event_log import EventLog
    from tests.support.scenes.scene import Actor

NO_LIMIT = "root needs a control group of its own to forbid threads (mount the pids controller)"

_GROUPS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
_CLOSING = ("close-locks", "close-all", "close-twice")
_OUTPUTS = ("scribble", "close-stderr", "lose-stderr")
_HANDLERS = ("raise-in-logging", "exit-in-logging")


def descriptors_closed(home: Path, count: int, random: Random) -> Result:
    """The lock alone, all of them, or one that the library has got; adopters look on."""
    result = Result("descriptors closed under the plugin", count)
    with TestServer(home / "server") as server:
        for number in range(count):
            with Scene(home / str(number), server.url, namespace=f"n{number}") as scene:
                with hammered(scene, result):
                    times = tuple(sorted(random.sample(range(5, 60), 3)))
                    actor = _enter(scene, _CLOSING[number % 3], times)
                    actor.wait_for(30)
                    is_away = random.random() < 0.5
                    with _frozen(server) if is_away else nullcontext():
                        actor.wait_for(61)
                        see_alive(result, scene.settings, "job") if not is_away else None
                    actor.wait_for_more(random.randint(100, 400))
                    see_alive(result, scene.settings, "job")
                    actor.stop()
                _settle(scene, actor, result)
    return result


def outputs_closed(home: Path, count: int, random: Random) -> Result:
    """No standard error while the server is away."""
    return _through_an_outage(Result("closed stderr", count), home, _OUTPUTS, random)


def handlers_raise(home: Path, count: int, random: Random) -> Result:
    """A logging handler that raises while the server is away."""
    return _through_an_outage(Result("raising logging handlers", count), home, _HANDLERS, random)


def threads_forbidden(home: Path, count: int, random: Random) -> Result:
    """No thread can start, before the run is opened or in the middle of it."""
    result = Result("no thread can start", count)
    with TestServer(home / "server") as server, _group(home.name) as groups:
        if groups is None:
            result.skipped = NO_LIMIT
            return result
        for number in range(count):
            with Scene(home / str(number), server.url, namespace=f"n{number}") as scene:
                if groups:
                    group = Path(groups, str(number))
                    group.mkdir()
                    scene.more_environ["FAULTS_PIDS_GROUP"] = str(group)
                moment = BEFORE if number % 2 else random.randint(1, 30)
                forks = ("exit", "_exit") if number % 4 == 2 else ()
                actor = _enter(
                    scene, "forbid-threads", (moment,), limit=200, pause=0.0, threads=1, forks=forks
                )
                actor.join()
                result.require(_is_bounded(scene, actor), "it left more than its homes may hold")
                _settle(scene, actor, result)
    return result


def _through_an_outage(
    result: Result, home: Path, troubles: tuple[str, ...], random: Random
) -> Result:
    for number in range(result.planned):
        server = TestServer(home / f"server-{number}")
        with Scene(home / str(number), server.url, connect_seconds=1) as scene:
            moment = BEFORE if random.random() < 0.3 else random.randint(0, 50)
            if number % 4 < 2:
                server.start()
            try:
                trouble = troubles[number % len(troubles)]
                times = (BEFORE, 10, 60) if trouble == "scribble" else (moment,)
                actor = _enter(scene, trouble, times)
                actor.wait_for(60)
                server.kill()
                actor.wait_for_more(random.randint(100, 600))
                server.start()
                _wait_until_recorded(scene.open_log(), actor.witness.total)
                if trouble == "scribble":
                    actor.kill()
                else:
                    actor.stop()
                _settle(scene, actor, result)
            finally:
                server.kill()
    return result


def _wait_until_recorded(log: EventLog, count: int) -> None:
    def recorded() -> int:
        batches = (entry.batch for entry in read_all(log, "job"))
        return max((batch.last for batch in batches if batch), default=0)

    wait_until(lambda: recorded() >= count, 60)


def _enter(scene: Scene, trouble: str, times: tuple[int, ...], **role: Any) -> Actor:
    role = {"pause": 0.003, "threads": 2, "trouble": trouble, "trouble_at": times, **role}
    return scene.enter_as(TroubledRole("job", str(scene.home), **role))


def _settle(scene: Scene, actor: Actor, result: Result) -> None:
    assert isinstance(actor.role, TroubledRole)
    result.happened += actor.role.happened > len(actor.role.forks)
    scene.adopt()
    result.tally.add(scene.audit())
    if actor.process.returncode == 0:
        see_completed(result, scene.settings, "job")


def _is_bounded(scene: Scene, actor: Actor) -> bool:
    """Whether what is left is less than a segment for each producer and some."""
    return sum(path.stat().st_blocks * 512 for path in scene.segments()) < 64 << 20


@contextmanager
def _frozen(server: TestServer) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@contextmanager
def _group(name: str) -> Iterator[Path | str | None]:
    """Make a control group for process counts; "" where it needs none, None where it cannot be."""
    if os.getuid() != 0:
        yield ""
        return
    for root in _GROUPS:
        group = root / f"faults-{os.getpid()}-{name}"
        with suppress(OSError):
            group.mkdir()
            (group / "probe").mkdir()
            is_there = (group / "probe" / "pids.max").exists()
            (group / "probe").rmdir()
            if is_there:
                try:
                    yield group
                finally:
                    for path in (*group.glob("*/"), group):
                        path.rmdir()
                return
            group.rmdir()
    yield None
