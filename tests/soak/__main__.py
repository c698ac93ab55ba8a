"""`python -m tests.soak`: report and trim for half an hour; exit 1 when anything grows.

A real server, all consumers in one process, two plugins that report one short run after the other,
and a reader of what has been trimmed. The windows are seconds, so that each of them passes often.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_stream.log.feeds import FeedLog
from synapse_stream.reading.stream import JobStream
from synapse_stream.settings import PREFIX, Settings
from tests.soak.gauges import Gauges
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PLUGINS = ("first", "second")
_WINDOW_SECONDS = 10.0
_SAMPLE_SECONDS = 2.0
_LINE_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak; return 1 when something has grown or a run is not whole."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=100.0, help="events a second of each plugin")
    parser.add_argument("--run-seconds", type=float, default=15.0, help="length of a run")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as home, ExitStack() as exits:
        server = exits.enter_context(TestServer(Path(home) / "server"))
        settings = Settings(
            redis_url=server.url,
            data_dir=Path(home) / "data",
            hot_seconds=_WINDOW_SECONDS,
            rewind_seconds=_WINDOW_SECONDS,
            partitions=4,
        )
        pids = {"server": server.pid, "consumers": _start(exits, settings, "consumers", "all")}
        speed = (str(given.rate), str(given.run_seconds))
        for name in _PLUGINS:
            pids[name] = _start(exits, settings, "tests.soak.plugin", name, *speed)
        log = FeedLog.open(settings)
        exits.callback(log.close)
        gauges = Gauges(pids)
        whole = list(_soak(given.minutes * 60, gauges, log, settings))
    print(*gauges.all, sep="\n")
    print(f"{sum(whole)} of {len(whole)} ended runs were read whole, from archive and stream")
    grown = [gauge.name for gauge in gauges.all if gauge.grows]
    print(f"grows: {', '.join(grown)}" if grown else "nothing grows")
    return 1 if grown or not whole or not all(whole) else 0


def _start(exits: ExitStack, settings: Settings, module: str, *arguments: str) -> int:
    shown = settings.model_dump(exclude_none=True, exclude_unset=True)
    environ = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env={**os.environ, **environ}
    )
    exits.callback(process.wait)
    exits.callback(process.terminate)
    return process.pid


def _soak(seconds: float, gauges: Gauges, log: FeedLog, settings: Settings) -> Iterator[bool]:
    """Measure for so long; yield for every minute whether its ended runs are whole."""
    begin = line_at = time.monotonic()
    run = 0
    while (now := time.monotonic()) < begin + seconds:
        time.sleep(_SAMPLE_SECONDS)
        lengths = (log.stream_info(log.keys.feed(feed)) for feed in range(settings.partitions))
        entries = sum(info[b"length"] for info in lengths if info)
        gauges.measure(log.server_report().used_bytes, entries)
        if now >= line_at + _LINE_SECONDS:
            line_at = now
            print(_line(now - begin, gauges), flush=True)
            run += 1
            for name in _PLUGINS:
                yield _is_whole(JobStream(f"{name}-{run}", settings, log=log))


def _line(seconds: float, gauges: Gauges) -> str:
    shown = "  ".join(f"{gauge.name} {gauge.values[-1]:.1f}" for gauge in gauges.all)
    return f"{seconds / 60:5.1f} min  {shown}"


def _is_whole(job: JobStream) -> bool:
    """Tell whether a run has all numbers of its producer, to its end."""
    numbers = [recorded.event.seq for recorded in job.read()]
    return len(numbers) > 1 and numbers == list(range(len(numbers)))


if __name__ == "__main__":
    sys.exit(main())
