"""Pools that our environment has not: gunicorn, celery's and Ray's. `make pools` readies them."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.resilience.places import pool_ways
from tests.resilience.places.judge import see_completed
from tests.resilience.places.pooled import PoolRole
from tests.resilience.places.pools import CALLS, TASKS, play
from tests.support.scenes.audit import Audit
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.scenes.witness import Witness
from tests.support.servers import TestServer, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

LACKING = "gunicorn, billiard and Ray are not ready: `make pools` installs them"

_ROOT = Path(__file__).parents[3]
_PYTHON = _ROOT / ".pools" / "bin" / "python"
_READY = _ROOT / ".pools" / ".ready"


def billiard(home: Path, count: int, random: Random) -> Result:
    """Celery's prefork pool is one of billiard."""
    return _play(Result("billiard, celery's prefork", count), home, pool_ways.BILLIARD_WAYS)


def ray(home: Path, count: int, random: Random) -> Result:
    """A Ray of this machine alone: tasks and actors, with the context or runs of their own."""
    return _play(Result("Ray", count), home, pool_ways.RAY_WAYS)


def gunicorn(home: Path, count: int, random: Random) -> Result:
    """Workers forked from one that has opened the run (`--preload`), or that each open it."""
    result = Result("gunicorn, prefork", count)
    if not _READY.exists():
        result.skipped = LACKING
        return result
    with TestServer(home / "server") as server:
        for number in range(count):
            with Scene(home / str(number), server.url, namespace=f"n{number}") as scene:
                _serve(scene, result, ["--preload"] if number % 2 else [])
    return result


def _play(result: Result, home: Path, ways: Iterable[str]) -> Result:
    if not _READY.exists():
        result.skipped = LACKING
        return result
    names = list(ways)
    turns = [names[number % len(names)] for number in range(result.planned)]
    return play(result, home, turns, python=str(_PYTHON))


def _serve(scene: Scene, result: Result, options: list[str]) -> None:
    role = PoolRole("job", str(scene.home), threads=TASKS, limit=CALLS)
    witness = Witness.create(role.witness_path)
    port = free_port()
    place = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--log-level", "error"]
    app = "tests.resilience.places.gunicorn_app:app"
    service = subprocess.Popen(
        [_PYTHON, "-m", "gunicorn", *place, *options, app],
        env={**scene.environ, "FAULTS_ROLE": role.dump()},
        cwd=_ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        workers = 1 if options else 2
        wait_until(lambda: len(list(scene.home.glob("open-*"))) == workers or _has_ended(service))
        with ThreadPoolExecutor(TASKS) as pool:
            list(pool.map(lambda voice: _ask(service, port, voice), range(TASKS)))
        service.send_signal(signal.SIGTERM)
        _, errors = service.communicate(timeout=60)
    finally:
        service.kill()
        service.communicate()
    way = f"gunicorn {' '.join(options)}"
    result.require(service.returncode == 0, f"{way} ended {service.returncode}: {errors[-500:]}")
    tally = Audit(scene.open_log(), "job", [(role, witness)]).run()
    result.happened += len(tally.stories) > 1 and tally.events == TASKS * CALLS
    tally.problems[:] = [f"{way}: {problem}" for problem in tally.problems]
    result.tally.add(tally)
    see_completed(result, scene.settings, "job")


def _ask(service: subprocess.Popen[str], port: int, voice: int) -> None:
    wait_until(lambda: _get(port, voice) or _has_ended(service))


def _has_ended(service: subprocess.Popen[str]) -> bool:
    return service.poll() is not None


def _get(port: int, voice: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{voice}", timeout=20) as answer:
            return bool(answer.read() == b"done")
    except ConnectionError:
        return False
    except OSError as error:
        if isinstance(getattr(error, "reason", None), ConnectionError):
            return False
        raise
