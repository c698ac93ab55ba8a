"""A process that commits points and compacts them until it is killed.

`python -m tests.store.writer DATA_DIR STORE_URL SEED`; it prints a line after every step. The
points of the series have the values 0, 1, 2 …, and the job's document says how many there are.
"""

from __future__ import annotations

import random
import sys
from array import array
from pathlib import Path

from consumers.store.jobs import JobWrite
from consumers.views.metric_history.rows import Points
from consumers.views.opening import open_store
from synapse_stream.ports.views import SeriesKey
from synapse_stream.settings import Settings

JOB = "job"
KEY = SeriesKey(1, 0, None, "loss")
SECONDS = 3600.0


def points(start: int, size: int) -> Points:
    """Return points `start` to `start` + `size` - 1."""
    numbers = range(start, start + size)
    column = array("q", numbers)
    return Points(start, column, column, column, column, array("d", numbers), None)


def main(data_dir: str, url: str, seed: str) -> None:
    """Write until killed."""
    rng = random.Random(seed)
    store = open_store(Settings(data_dir=Path(data_dir), store_url=url or None))
    lease = store.leases.acquire("metric-history", 0, f"writer {seed}", SECONDS)
    if lease is None:
        sys.exit("the lease of the killed writer has not lapsed")
    written = int(store.jobs.load("metric-history", [JOB]).get(JOB, b"0"))
    while True:
        size = rng.choice([1, 1, 1, 50, 3000])
        rows = {KEY: points(written, size)}
        written += size
        entry = (written, 0)
        writes = [JobWrite(JOB, b"%d" % written, rows, entry)]
        store.commit(lease, entry, writes, [], 0.0)
        print("committed", flush=True)
        if store.compact(lease, rested_seconds=rng.choice([0.0, 3600.0])):
            print("compacted", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
