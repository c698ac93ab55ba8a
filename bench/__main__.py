"""`python -m bench`: measure everything, print one table, say whether the bounds hold."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bench import (
    agent,
    api,
    archive,
    bridges,
    calls,
    freeze,
    history,
    http,
    imports,
    live,
    outage,
    page,
    presence,
    projecting,
    quiet,
    runs,
    sse,
    tee,
    throughput,
    verify,
    views,
)
from bench.figures import Row, table
from bench.stage import FULL, QUICK, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUPS: dict[str, Callable[[Stage], Iterator[Row]]] = {
    module.__name__.removeprefix("bench."): module.rows
    for module in (
        calls,
        outage,
        freeze,
        throughput,
        quiet,
        http,
        agent,
        imports,
        presence,
        live,
        projecting,
        views,
        api,
        sse,
        page,
        archive,
        history,
        verify,
        tee,
        bridges,
        runs,
    )
}


def main() -> int:
    """Return 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all if none is named"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter ones")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every round's figures, too"
    )
    options = parser.parse_args()
    if unknown := set(options.groups) - GROUPS.keys():
        parser.error(f"there is no group {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    with Stage.opened(QUICK if options.quick else FULL) as stage:
        machine = _machine(stage)
        print(f"# {machine}", flush=True)
        try:
            for name in options.groups or GROUPS:
                start = time.monotonic()
                rows += GROUPS[name](stage)
                print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        finally:
            print(table(rows), flush=True)
    if options.json:
        report = {"machine": machine, "rows": [row.as_json() for row in rows]}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    missed = [row.what for row in rows if row.holds is False]
    print(f"# missed: {'; '.join(missed)}" if missed else "# every bound that was measured holds")
    return bool(missed)


def _machine(stage: Stage) -> str:
    with stage.redis() as redis:
        info = redis.info("server")
    server = (
        f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"
    )
    parts = [
        f"Python {platform.python_version()}",
        f"{platform.system()} {platform.machine()}",
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}",
        f"redis-py {metadata.version('redis')}",
        f"{server}, AOF everysec",
        f"{stage.scale.rounds} rounds",
    ]
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
