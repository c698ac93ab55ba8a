"""`python -m bench.idle RUNS SECONDS`: open so many runs, do nothing, print what they cost.

A process of its own that imports nothing else of the bench, as threads and CPU time are counted.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from synapse_stream import Settings, open_run
from synapse_stream.producer.spool.roots import hot_root

SETTLE_SECONDS = 3.0  # until what comes once, as the first look for other spools, is over


def main() -> None:
    count, seconds = int(sys.argv[1]), float(sys.argv[2])
    settings = Settings.load()
    runs = [open_run(f"idle-{os.getpid()}-{number}", env={}) for number in range(count)]
    assert all(run.flush(60) for run in runs)
    time.sleep(SETTLE_SECONDS)
    start, cpu = time.monotonic(), time.process_time()
    time.sleep(seconds)
    share = (time.process_time() - cpu) / (time.monotonic() - start)
    found = {
        "threads": max(threading.active_count(), len(list(Path("/proc/self/task").iterdir()))),
        "cpu_percent": 100 * share,
        "shared_bytes": shared_bytes(settings),
    }
    for run in runs:
        run.end_log()
    print(json.dumps(found))


def shared_bytes(settings: Settings) -> int:
    """Return how much shared memory the spools of `settings` take, from the number of blocks."""
    root = hot_root(settings.spool_root)
    if root is None:
        return 0
    files = (path.lstat() for path in root.rglob("*"))
    return sum(found.st_blocks * 512 for found in files)


if __name__ == "__main__":
    main()
