"""What every measurement needs: a real server, runs that report to it, the same reports as text."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from redis import Redis

from synapse_stream import Settings, open_run
from synapse_stream.entries.keys import Keys
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.events import rules
from synapse_stream.events.encoding import encode
from synapse_stream.log.event_log import open_log
from synapse_stream.log.server import EmbeddedServer
from synapse_stream.producer.spool.roots import hot_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from synapse_stream import RuntimeContext

STEP = "training"


class Scale(NamedTuple):
    """How long a bench runs."""

    rounds: int
    calls: int  # of a tight loop
    paced: int  # calls with a pause between them
    events: int  # of a throughput round


FULL = Scale(rounds=7, calls=50_000, paced=2_000, events=200_000)
QUICK = Scale(rounds=3, calls=20_000, paced=500, events=50_000)


class Stage:
    """An embedded server (AOF everysec) in a directory of its own."""

    def __init__(self, root: Path, scale: Scale, server: EmbeddedServer) -> None:
        self.root = root
        self.scale = scale
        self.server = server
        self._jobs = itertools.count(1)

    @classmethod
    @contextmanager
    def opened(cls, scale: Scale) -> Iterator[Stage]:
        with (
            tempfile.TemporaryDirectory(prefix="synapse-bench-") as root,
            EmbeddedServer(Path(root)) as server,
        ):
            try:
                yield cls(Path(root), scale, server)
            finally:
                clear_shared_memory(Path(root, "spool"))

    def new_job(self) -> str:
        return f"bench-{next(self._jobs)}"

    def settings(self, **changes: Any) -> Settings:
        return Settings(**{"redis_url": self.server.url, "data_dir": self.root, **changes})

    @contextmanager
    def run(self, **changes: Any) -> Iterator[RuntimeContext]:
        """Open a run as a plugin does."""
        with open_run(self.new_job(), env={}, settings=self.settings(**changes)) as context:
            yield context

    def redis(self) -> Redis:
        return Redis.from_url(self.server.url)

    def pid(self) -> int:
        return int(orjson.loads((self.root / "server.json").read_bytes())["pid"])

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Keep the server stopped, as by a machine that swaps or a network that is cut."""
        os.kill(self.pid(), signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid(), signal.SIGCONT)

    def keys(self, job_id: str) -> list[str]:
        """Return the keys that a job fills: its stream, its producers, its partition's feed."""
        settings = self.settings()
        keys = Keys(settings.namespace, settings.partitions)
        return [keys.job(job_id), keys.producers(job_id), keys.feed(keys.partition(job_id))]

    def numbers(self, job_id: str) -> list[int]:
        """Read a job back; return the numbers of its events in the order of its stream."""
        log = open_log(self.settings())
        found: list[int] = []
        position = BEGINNING
        while batches := log.read_after(job_id, position, limit=100):
            for recorded in batches:
                assert recorded.batch is not None, recorded.error
                found += range(recorded.batch.first, recorded.batch.last + 1)
                assert len(recorded.batch.lines()) == recorded.batch.last - recorded.batch.first + 1
            position = Position(batches[-1].ms, batches[-1].seq + 1, 0)
        log.close()
        return found


def clear_shared_memory(spool_root: Path) -> None:
    """Remove the hot side of a spool root that is about to be removed itself."""
    hot = hot_root(spool_root)
    if hot is not None:
        shutil.rmtree(hot, ignore_errors=True)


def metric_values(count: int) -> Iterator[dict[str, float]]:
    for i in range(count):
        yield {"loss": 2.5 / (i + 1), "accuracy": 1.0 - 0.9 / (i + 1), "learning_rate": 3e-4}


def as_text(kind: str, step: str | None, fields: dict[str, Any], number: int) -> str:
    """Return an event line as the producer writes it, for a yardstick to carry the same text."""
    (body,) = encode(kind, step, fields)
    return f'{{"seq":{number},"time":{time.time_ns() // 1000},{body.decode()}'


def metric_texts(count: int) -> Iterator[str]:
    for i, values in enumerate(metric_values(count)):
        yield as_text("metrics", STEP, rules.metrics(values), i)


@contextmanager
def file_logger(path: Path) -> Iterator[logging.Logger]:
    """Open the standard library's logger on a file; it writes nothing but the text."""
    logger = logging.getLogger("bench")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        handler.close()
        path.unlink()


def time_calls(
    call: Callable[..., object], arguments: Iterable[tuple[Any, ...]], pause: float = 0.0
) -> list[float]:
    """Call once an item and return how long each call took, in microseconds.

    The arguments are made and the pauses kept between the calls, not in them.
    """
    clock = time.perf_counter_ns
    took = []
    for each in arguments:
        if pause:
            time.sleep(pause)
        start = clock()
        call(*each)
        took.append((clock() - start) / 1_000)
    return took
