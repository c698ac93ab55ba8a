"""Consumer processes of a bench: their start is not measured, their work is."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from consumers import views
from consumers.__main__ import spare_collector
from consumers.projector.loop import Projector
from consumers.store.engine import WRITER_CACHE_BYTES
from consumers.store.store import Store
from consumers.views.opening import open_databases, open_store
from synapse_stream.log.feeds import FeedLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from bench.streams import Ends
    from consumers.store.jobs import JobWrite
    from consumers.store.lease import Lease
    from synapse_stream import Settings

PATIENCE_SECONDS = 600.0
_POLL_SECONDS = 0.005


class Consumers:
    """Processes of one projection that are ready, and know of each other, before `go`."""

    def __init__(
        self,
        settings: Settings,
        projection: str,
        pipes: Sequence[Connection],
        processes: Sequence[int],
    ) -> None:
        self._projection = projection
        self._pipes = pipes
        self._processes = processes
        self._store = Store(open_databases(settings, cache_bytes=WRITER_CACHE_BYTES))

    def go(self) -> None:
        for pipe in self._pipes:
            pipe.send("go")

    def wait(self, ends: Ends) -> None:
        """Return when everything up to `ends` is committed."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._has_committed(ends):
            assert time.monotonic() < deadline, "the consumers do not catch up"
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the processes, as for filling their streams."""
        for process in self._processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self._processes:
                os.kill(process, signal.SIGCONT)

    def stop(self) -> list[Any]:
        """End the processes; return the delays that each has seen, in ms, oldest event first."""
        for pipe in self._pipes:
            pipe.send("stop")
        return [_hear(pipe) for pipe in self._pipes]

    def _has_committed(self, ends: Ends) -> bool:
        reached = {
            at.partition: at.position for at in self._store.leases.checkpoints(self._projection)
        }
        return all(reached.get(partition, (0, 0)) >= end for partition, end in ends.items())


@contextmanager
def consumers(settings: Settings, projection: str, processes: int = 1) -> Iterator[Consumers]:
    """Start processes of a projection; they wait for `go`."""
    open_store(settings).leases.checkpoints(projection)  # the processes need not migrate
    spawn = multiprocessing.get_context("spawn")
    pipes, started = [], []
    try:
        for number in range(processes):
            here, there = spawn.Pipe()
            process = spawn.Process(
                target=_consume, args=(settings, projection, f"bench-{number}", there), daemon=True
            )
            process.start()
            pipes.append(here)
            started.append(process)
        for pipe in pipes:
            _hear(pipe)
        yield Consumers(
            settings, projection, pipes, [process.pid for process in started if process.pid]
        )
    finally:
        for process in started:
            process.kill()
            process.join()


def catch_up(settings: Settings, projection: str, ends: Ends, processes: int = 1) -> float:
    """Return the seconds that processes need from an empty view until all is committed."""
    with consumers(settings, projection, processes) as started:
        start = time.perf_counter()
        started.go()
        started.wait(ends)
        seconds = time.perf_counter() - start
        started.stop()
    return seconds


class _Timed(Store):
    """Notes how old each point of the series `loss` is when it has been committed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(open_databases(settings))
        self.delays: list[float] = []

    def commit(
        self,
        lease: Lease,
        position: tuple[int, int],
        writes: Sequence[JobWrite],
        *more: Any,
        **named: Any,
    ) -> None:
        super().commit(lease, position, writes, *more, **named)
        now = time.time_ns() / 1e6
        for write in writes:
            for key, points in (write.rows or {}).items() if isinstance(write.rows, dict) else ():
                if key.name == "loss":
                    self.delays += [now - time_us / 1e3 for time_us in points.times]


def _consume(settings: Settings, projection: str, owner: str, pipe: Connection) -> None:
    spare_collector()
    store = _Timed(settings)
    store.leases.join(projection, owner, PATIENCE_SECONDS)
    stop = threading.Event()
    projector = Projector(
        views.find(projection), store, lambda: FeedLog.open(settings), settings, owner=owner
    )
    thread = threading.Thread(target=projector.run, args=(stop,))
    pipe.send("ready")
    pipe.recv()
    thread.start()
    pipe.recv()
    stop.set()
    thread.join()
    pipe.send(store.delays)


def _hear(pipe: Connection) -> Any:
    assert pipe.poll(PATIENCE_SECONDS), "a consumer does not answer"
    return pipe.recv()
