"""Points of one series, committed as a test wants them cut."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

from consumers.store.jobs import JobWrite
from consumers.store.schema import chunk, series
from consumers.views.metric_history.rows import Points
from synapse_stream.ports.views import SeriesKey
from tests.store.jobs import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumers.store.lease import Lease
    from consumers.store.store import Store

AT_ONCE = 0.0
LOSS = SeriesKey(1, 0, None, "loss")


class Writer:
    """Commits points of the series `LOSS` of one job, cut as it is told."""

    def __init__(self, store: Store, owner: str = "owner") -> None:
        lease = store.leases.acquire("metric-history", 0, owner, SECONDS)
        assert lease is not None
        self.store = store
        self.lease: Lease = lease
        self.values = [float(value) for value in _endless(2_000_000)]
        self.written = 0

    def write(self, sizes: Iterable[int], job_id: str = "job") -> None:
        """Commit so many points at a time."""
        for size in sizes:
            rows = {LOSS: self.points(self.written, size)}
            self.written += size
            entry = (self.written, 0)
            self.store.commit(
                self.lease, entry, [JobWrite(job_id, b"{}", rows, entry)], [], SECONDS
            )

    def compact(self, rested_seconds: float = AT_ONCE) -> int:
        """Compact until nothing is left to do; return how many rounds that took."""
        rounds = 0
        while self.store.compact(self.lease, rested_seconds=rested_seconds):
            rounds += 1
        return rounds

    def points(self, start: int, size: int) -> Points:
        numbers = range(start, start + size)
        return Points(
            start,
            array("q", [1000 + n // 10 for n in numbers]),
            array("q", [7] * size),
            array("q", [n % 10 for n in numbers]),
            array("q", [10**15 + n * 1000 for n in numbers]),
            array("d", self.values[start : start + size]),
            array("d", [n / 2 for n in numbers]) if start % 3 else None,
        )


def _endless(most: int) -> Iterable[float]:
    return map(math.sin, range(most))


def chunks_of(store: Store) -> list[tuple[int, int]]:
    """Return number and points of each chunk of the only series."""
    with store.databases.of("metric-history").read("test") as connection:
        rows = connection.execute(chunk.select().order_by(chunk.c.number))
        return [(row.number, row.points) for row in rows]


def chunk_sizes(store: Store) -> list[int]:
    """Return the points of each chunk of the only series."""
    return [points for _, points in chunks_of(store)]


def loose_series(store: Store) -> int:
    with store.databases.of("metric-history").read("test") as connection:
        return len(connection.execute(series.select().where(series.c.is_loose)).all())


def same(one: Iterable[float], other: Iterable[float]) -> bool:
    """Compare numbers by their bits, so that NaN equals NaN."""
    return array("d", one).tobytes() == array("d", other).tobytes()
