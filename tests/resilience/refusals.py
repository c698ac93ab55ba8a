"""The server or the disk says no: the plugin runs on, the reason is said once, nothing is lost."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from synapse_stream.settings import MIB
from tests.support.scenes.report import Result
from tests.support.scenes.scene import AGAIN, Scene
from tests.support.servers import TestServer, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    from tests.support.scenes.scene import Actor

_TRIES = 3
_ON_DISK_ONLY = {"spool_memory_bytes": 0, "spool_max_bytes": 256 * MIB}
NO_MOUNT = "only root may mount a file system to fill or to write-protect"


def out_of_memory(home: Path, count: int, random: Random) -> Result:
    """`maxmemory` is reached, and nothing may be evicted."""
    result = Result("refused: OOM", count)
    with TestServer(home / "server") as server:
        for number in range(count):
            _refuse(
                result,
                server,
                Scene(home / str(number), server.url, namespace=f"n{number}"),
                provoke=lambda: server.command("CONFIG", "SET", "maxmemory", 1),
                lift=lambda: server.command("CONFIG", "SET", "maxmemory", 0),
                said="is out of memory",
                code="OOM",
            )
    return result


def read_only_replica(home: Path, count: int, random: Random) -> Result:
    """The primary has become a replica."""
    result = Result("refused: read-only replica", count)
    with TestServer(home / "server") as server:
        for number in range(count):
            _refuse(
                result,
                server,
                Scene(home / str(number), server.url, namespace=f"n{number}"),
                provoke=lambda: server.command("REPLICAOF", "127.0.0.1", free_port()),
                lift=lambda: server.command("REPLICAOF", "NO", "ONE"),
                said="is a read-only replica",
                code="READONLY",
            )
    return result


def loading(home: Path, count: int, random: Random) -> Result:
    """The server is started again and takes its time to load a large AOF."""
    result = Result("refused: LOADING", count)
    with TestServer(home / "server", config={"key-load-delay": "400"}) as server:
        with server.client() as client, client.pipeline(transaction=False) as pipeline:
            for number in range(20_000):
                pipeline.set(f"other:{number}", 1)
            pipeline.execute()
        for number in range(count):
            _refuse(
                result,
                server,
                Scene(home / str(number), server.url, namespace=f"n{number}"),
                provoke=lambda: server.restart(wait=False),
                lift=lambda: server.command("CONFIG", "SET", "key-load-delay", 0),
                said="is still loading its data",
                code="LOADING",
            )
    return result


def wrong_password(home: Path, count: int, random: Random) -> Result:
    """Somebody changes the server's password, and later changes it back."""
    result = Result("refused: wrong password", count)
    with (
        TestServer(home / "server", config={"requirepass": "s3cret"}) as server,
        server.client() as admin,
    ):
        url = f"redis://:s3cret@127.0.0.1:{server.port}"
        for number in range(count):
            _refuse(
                result,
                server,
                Scene(home / str(number), url, namespace=f"n{number}"),
                provoke=lambda: (
                    admin.config_set("requirepass", "another"),
                    admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
                ),
                lift=lambda: admin.config_set("requirepass", "s3cret"),
                said="did not accept the login",
                code="WRONGPASS",
                secret="s3cret",
            )
    return result


def forgotten_script(home: Path, count: int, random: Random) -> Result:
    """SCRIPT FLUSH: no refusal at all, since the script is sent along again."""
    result = Result("SCRIPT FLUSH (NOSCRIPT)", count)
    with TestServer(home / "server") as server, Scene(home / "plugin", server.url) as scene:
        actor = scene.enter(threads=2, pause=0.002)
        for _ in range(count):
            actor.wait_for_more(random.randint(1, 30))
            forgotten = _refusals(server, "NOSCRIPT")
            server.command("SCRIPT", "FLUSH")
            _wait_for_refusals(server, "NOSCRIPT", forgotten + 1)
            result.happened += 1
        actor.stop()
        result.tally = scene.audit()
        result.require(actor.log_lines == [], f"it was said: {actor.log_lines}")
    return result


def disk_full(home: Path, count: int, random: Random) -> Result:
    """There is no block left for the next segment, and the server is away."""
    result = Result("spool's disk full", count)
    for number in range(count):
        server = TestServer(home / f"server-{number}")
        with _mounted(home / f"disk-{number}", "size=6m") as disk:
            if disk is None:
                result.skipped = NO_MOUNT
                return result
            with Scene(
                home / str(number), server.url, spool_dir=disk / "spool", **_ON_DISK_ONLY
            ) as scene:
                actor = scene.enter(pause=0.003, weight=2000)  # it may say that for seconds
                actor.wait_until_said("has no room")
                result.happened += len(scene.segments()) >= 1
                actor.wait_for_more(200)
                with server:
                    _settle(result, scene, actor, "has no room")
    return result


def read_only_spool(home: Path, count: int, random: Random) -> Result:
    """No spool can be made on disk: events wait in shared memory, or else in the process's own."""
    result = Result("spool's disk read-only", 2 * count)
    for number in range(2 * count):
        server = TestServer(home / f"server-{number}")
        with _write_protected(home / f"disk-{number}") as disk:
            if disk is None:
                result.skipped = NO_MOUNT
                return result
            memory = {"spool_memory_bytes": 0} if number % 2 else {}
            with Scene(home / str(number), server.url, spool_dir=disk, **memory) as scene:
                actor = scene.enter(pause=0.002)
                actor.wait_for(200)
                result.happened += actor.said("Read-only") or actor.said("denied")
                with server:
                    _settle(result, scene, actor, "no spool in")
    return result


def _refuse(
    result: Result,
    server: TestServer,
    scene: Scene,
    *,
    provoke: Callable[[], object],
    lift: Callable[[], object],
    said: str,
    code: str,
    secret: str = "no secret",
) -> None:
    with scene:
        actor = scene.enter(threads=2, pause=0.002)
        actor.wait_for(50)
        provoke()
        actor.wait_until_said(said)
        if code == "LOADING":
            lift()
            actor.wait_until_said(AGAIN)
        else:
            if code != "WRONGPASS":
                _wait_for_refusals(server, code, _TRIES)
            actor.wait_for_more(500)
            lift()
        result.happened += _refusals(server, code) > 0
        server.command("CONFIG", "RESETSTAT")
        _settle(result, scene, actor, said)
        result.require(secret not in "".join(actor.log_lines), "the password was said")


def _settle(result: Result, scene: Scene, actor: Actor, said: str) -> None:
    """With the server back: all is there, and the reason was said once."""
    actor.wait_until_said(AGAIN)
    actor.stop()
    result.tally.add(scene.audit())
    lines = actor.log_lines
    result.require(actor.said(said) == 1, f"{said!r} was said {actor.said(said)} times: {lines}")
    result.require(len(lines) == len(set(lines)), f"something was said twice: {lines}")
    result.require(actor.said("Traceback") == 0, f"an exception was said: {lines}")


def _refusals(server: TestServer, code: str) -> int:
    found = server.command("INFO", "errorstats").get(f"errorstat_{code}", {})
    return int(found.get("count", 0))


def _wait_for_refusals(server: TestServer, code: str, count: int) -> None:
    wait_until(lambda: _refusals(server, code) >= count)


@contextmanager
def _mounted(path: Path, options: str) -> Iterator[Path | None]:
    """Mount an empty file system in memory; None where that is not allowed."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextmanager
def _write_protected(path: Path) -> Iterator[Path | None]:
    if os.getuid() == 0:  # root may write whatever the mode says
        with _mounted(path, "ro") as mounted:
            yield mounted
        return
    path.mkdir(mode=0o500)
    yield path
