"""The ways in which plugins give their work to other processes; each does a task of every voice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.support.scenes.witness import Witness
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.resilience.places.pooled import Task

    Way = Callable[[Task, Sequence[int]], bool]

SHARED: dict[str, Any] = {}
"""What forked workers find in their memory."""

_OWN = ("in_own_run", "in_own_rank")
_SCRIPT = """
import sys
from synapse_stream import open_run
from tests.resilience.places.pooled import PoolRole, Task
import orjson
task = Task(PoolRole(**orjson.loads(sys.argv[1])), None)
sys.exit(0 if task.in_own_run(int(sys.argv[2])) else 70)
"""


def _pool(method: str, *, shares: bool) -> Way:
    """A Pool that is terminated as its block ends."""

    def work(task: Task, voices: Sequence[int]) -> bool:
        given = replace(task, context=None) if shares else task
        with multiprocessing.get_context(method).Pool(3) as pool:
            return all(pool.map(given, voices, chunksize=1))

    return work


def _starmap(task: Task, voices: Sequence[int]) -> bool:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return all(pool.starmap(_call, [(task, voice) for voice in voices]))


def _executor(method: str) -> Way:
    def work(task: Task, voices: Sequence[int]) -> bool:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(3, mp_context=context) as executor:
            return all(executor.map(task, voices))

    return work


def _processes(method: str, name: str = "__call__", status: int = 0) -> Way:
    def work(task: Task, voices: Sequence[int]) -> bool:
        process: Any = multiprocessing.get_context(method)
        given = replace(task, context=None) if name in _OWN else task
        workers = [process.Process(target=getattr(given, name), args=(voice,)) for voice in voices]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return all(worker.exitcode == status for worker in workers)

    return work


def _killed(number: signal.Signals) -> Way:
    """Children that are killed as soon as they have made their calls."""

    def work(task: Task, voices: Sequence[int]) -> bool:
        fork = multiprocessing.get_context("fork")
        workers = [fork.Process(target=_linger, args=(task, voice)) for voice in voices]
        for worker in workers:
            worker.start()
        witness = Witness(task.role.witness_path)
        for worker, voice in zip(workers, voices, strict=True):
            _wait_for(witness, voice, task.role.limit)
            assert worker.pid is not None
            os.kill(worker.pid, number)
            worker.join()
        return all(worker.exitcode == -number for worker in workers)

    return work


def _left_alone(task: Task, voices: Sequence[int]) -> bool:
    """Daemonic children that `multiprocessing` terminates when the interpreter exits."""
    fork = multiprocessing.get_context("fork")
    for voice in voices:
        fork.Process(target=_linger, args=(task, voice), daemon=True).start()
    witness = Witness(task.role.witness_path)
    wait_until(lambda: witness.total == len(voices) * task.role.limit, 60)
    return True


def _scripts(task: Task, voices: Sequence[int]) -> bool:
    """Other programs that open a run of the same job."""
    words = [sys.executable, "-c", _SCRIPT, task.role.dump()]
    workers = [subprocess.Popen([*words, str(voice)]) for voice in voices]
    return [worker.wait() for worker in workers] == [0] * len(workers)


def _nested(task: Task, voices: Sequence[int]) -> bool:
    """A child whose own children do the work."""
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_processes("fork"), args=(task, voices))
    child.start()
    child.join()
    return child.exitcode == 0


def _loky(task: Task, voices: Sequence[int]) -> bool:
    from joblib import Parallel, delayed

    return all(Parallel(n_jobs=2, backend="loky")(delayed(task)(voice) for voice in voices))


def _billiard(task: Task, voices: Sequence[int]) -> bool:
    """What celery's prefork pool is made of."""
    import billiard  # type: ignore[import-not-found]

    pool = billiard.Pool(2)
    try:
        return all(pool.map(replace(task, context=None), voices, chunksize=1))
    finally:
        pool.terminate()
        pool.join()


def _billiard_own_run(task: Task, voices: Sequence[int]) -> bool:
    import billiard

    task = replace(task, context=None)
    workers = [billiard.Process(target=task.in_own_run, args=(voice,)) for voice in voices]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return all(worker.exitcode == 0 for worker in workers)


def _start_ray() -> Any:
    """Start one that nobody else can reach and that tells nobody of itself."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray  # type: ignore[import-not-found]

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=80_000_000,
        _node_ip_address="127.0.0.1",
    )
    return ray


def _ray(name: str) -> Way:
    def work(task: Task, voices: Sequence[int]) -> bool:
        ray = _start_ray()
        given = replace(task, context=None) if name in _OWN else task
        do = getattr(given, name)

        def work_remotely(voice: int) -> bool:
            return bool(do(voice))

        remote = ray.remote(work_remotely)
        try:
            return all(ray.get([remote.remote(voice) for voice in voices]))
        finally:
            ray.shutdown()

    return work


def _ray_actors(task: Task, voices: Sequence[int]) -> bool:
    ray = _start_ray()

    class Worker:
        def __init__(self, task: Task) -> None:
            self._task = task

        def work(self, voice: int) -> bool:
            return self._task(voice)

    try:
        workers = [ray.remote(Worker).remote(task) for _ in range(2)]
        turns = [workers[voice % 2].work.remote(voice) for voice in voices]
        return all(ray.get(turns))
    finally:
        ray.shutdown()


def _wait_for(witness: Witness, voice: int, calls: int) -> None:
    wait_until(lambda: witness.returned(voice) == calls, 60)


def _call(task: Task, voice: int) -> bool:
    return task(voice)


def _linger(task: Task, voice: int) -> None:
    task(voice)
    signal.pause()


WAYS: dict[str, Way] = {
    "fork pool, context in memory": _pool("fork", shares=True),
    "fork pool, context as argument": _pool("fork", shares=False),
    "spawn pool": _pool("spawn", shares=False),
    "forkserver pool": _pool("forkserver", shares=False),
    "spawn pool, starmap": _starmap,
    "fork executor": _executor("fork"),
    "spawn executor": _executor("spawn"),
    "forkserver executor": _executor("forkserver"),
    "fork": _processes("fork"),
    "spawn": _processes("spawn"),
    "forkserver": _processes("forkserver"),
    "fork and os._exit": _processes("fork", "and_leave"),
    "fork, runs of their own": _processes("fork", "in_own_run"),
    "spawn, runs of their own": _processes("spawn", "in_own_run"),
    "forkserver, runs of their own": _processes("forkserver", "in_own_run"),
    "forkserver, ranks of their own": _processes("forkserver", "in_own_rank"),
    "killed": _killed(signal.SIGKILL),
    "terminated": _killed(signal.SIGTERM),
    "left to multiprocessing": _left_alone,
    "other programs": _scripts,
    "nested": _nested,
    "loky": _loky,
}
BILLIARD_WAYS: dict[str, Way] = {
    "billiard pool": _billiard,
    "billiard, runs of their own": _billiard_own_run,
}
RAY_WAYS: dict[str, Way] = {
    "Ray tasks": _ray("__call__"),
    "Ray tasks, runs of their own": _ray("in_own_run"),
    "Ray actors": _ray_actors,
}
GUEST_WAYS = BILLIARD_WAYS | RAY_WAYS
WAYS |= GUEST_WAYS
OUTLIVING = ("left to multiprocessing",)
"""Here children are alive when the run ends: then it is open until somebody adopts them."""
