"""The data directory is copied while a run lives, as backups do, and perhaps put back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.resilience.places.judge import see_alive, see_completed
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random


def data_copied(home: Path, count: int, random: Random) -> Result:
    """Somebody drains the copy while the run lives; a fourth of them takes its place."""
    result = Result("data directory copied while a run lives", count)
    with TestServer(home / "server") as server:
        for number in range(count):
            place = home / str(number)
            way = _WAYS[number % len(_WAYS)]
            memory = {"spool_memory_bytes": 0} if random.random() < 0.3 else {}
            data = place / "data"
            given = {"namespace": f"n{number}", "data_dir": data, **memory}
            with Scene(place, server.url, **given) as scene:
                _play(result, scene, server, way, random)
    return result


def _play(
    result: Result,
    scene: Scene,
    server: TestServer,
    copy: Callable[[Path, Path], None],
    random: Random,
) -> None:
    data, copied = scene.settings.data_dir, scene.home / "copy"
    actor = scene.enter(pause=0.001, threads=2)
    actor.wait_for(random.randint(1, 100))
    is_away = random.random() < 0.6
    if is_away:
        server.freeze()
        actor.wait_for_more(random.randint(10, 500))
    copy(data, copied)
    if is_away:
        server.thaw()
    result.happened += any(copied.glob("spool/*/producer.json"))
    if copy is _put_back:
        data.rename(scene.home / "original")
        copied.rename(data)
        copied = data
    _drain(scene, copied, result)
    see_alive(result, scene.settings, "job")
    actor.wait_for_more(100)
    _drain(scene, copied, result)
    _drain(scene, data, result)
    see_alive(result, scene.settings, "job")
    actor.stop()
    _drain(scene, copied, result)
    if copy is not _put_back:  # what went on there is no longer in its place
        scene.adopt()
    result.tally.add(scene.audit())
    see_completed(result, scene.settings, "job")


def _drain(scene: Scene, data: Path, result: Result) -> None:
    environ = {**scene.environ, "SYNAPSE_STREAM_DATA_DIR": str(data)}
    drained = subprocess.run(
        [sys.executable, "-m", "synapse_stream.cli", "drain"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    result.require(drained.returncode in {0, 1}, f"drain: {drained.stderr[-500:]}")


def _cp(data: Path, copied: Path) -> None:
    subprocess.run(["cp", "-a", data, copied], check=False, capture_output=True)


def _tar(data: Path, copied: Path) -> None:
    copied.mkdir()
    with subprocess.Popen(["tar", "-c", "-C", data, "."], stdout=subprocess.PIPE) as packing:
        subprocess.run(["tar", "-x", "-C", copied], stdin=packing.stdout, check=True)


def _like_rsync(data: Path, copied: Path) -> None:
    """Copy each file under another name first; times and modes are kept."""
    for path in sorted(data.rglob("*")):
        to = copied / path.relative_to(data)
        if path.is_dir():
            to.mkdir(parents=True, exist_ok=True)
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        draft = to.with_name(f".{to.name}.Xq3k1Z")
        try:
            shutil.copy2(path, draft)
        except FileNotFoundError:  # it went while we looked: the run lives
            continue
        draft.rename(to)


def _put_back(data: Path, copied: Path) -> None:
    _cp(data, copied)


_WAYS = (_cp, _like_rsync, _tar, _put_back)
