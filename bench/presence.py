"""What it costs to be there: threads, idle CPU, shared memory, and the time of a short process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from bench.figures import Bound, Row
from bench.imports import compile_package
from bench.stage import Stage, clear_shared_memory
from synapse_stream import open_run
from synapse_stream.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream import Settings

RUNS = 300
SPOOLS = 1_000
HEARTBEATS_SECONDS = 16.0  # of the default settings, so that every run gives one sign of life
PING = (
    "import os, redis, pydantic; "
    f"redis.from_url(os.environ['{PREFIX}REDIS_URL'], protocol=2).ping()"
)
AGAINST = "redis, pydantic, one PING"
KIB, MIB = 1024, 1024 * 1024


def rows(stage: Stage) -> Iterator[Row]:
    """A crowd of idle runs, one beside many ended spools, and a process of ten lines."""
    rounds = max(2, stage.scale.rounds // 3)
    yield from _crowd(stage, rounds)
    yield from _short(stage)
    yield _beside_ended(stage, rounds)


def _crowd(stage: Stage, rounds: int) -> Iterator[Row]:
    found = [_idle(_own(stage, f"crowd-{number}"), RUNS) for number in range(rounds)]
    name = f"{RUNS} open idle runs in one process"
    threads = [float(each["threads"]) for each in found]
    yield Row(f"{name}, threads", "", threads, bound=Bound(4, on="ours"))
    cpu = [each["cpu_percent"] for each in found]
    yield Row(f"{name}, CPU", "% of a core", cpu, bound=Bound(1.0, on="ours"))
    shared = [each["shared_bytes"] / MIB for each in found]
    yield Row(f"{name}, shared memory", "MiB", shared, bound=Bound(32, on="ours"))


def _short(stage: Stage) -> Iterator[Row]:
    compile_package()
    own = _own(stage, "short")
    file = stage.root / "shared"
    _run(["-m", "bench.ten_lines", str(file)], own)
    shared = [int(file.read_text()) / KIB]
    name = "a process of ten lines"
    yield Row(f"{name}, shared memory", "KiB", shared, bound=Bound(256, on="ours"))
    ours, theirs = [], []
    for _ in range(3 * stage.scale.rounds):
        ours.append(_took_ms(["-m", "bench.ten_lines"], own))
        theirs.append(_took_ms(["-c", PING], own))
    yield Row(f"{name}, from start to end", "ms", ours, theirs, AGAINST, Bound(1.2, on="ratio"))
    clear_shared_memory(own.spool_root)


def _beside_ended(stage: Stage, rounds: int) -> Row:
    own = _own(stage, "ended")
    for number in range(SPOOLS):
        with open_run(f"ended-{number}", env={}, settings=own):
            pass
    cpu = [_idle(own, 1)["cpu_percent"] for _ in range(rounds)]
    what = f"an idle run beside {SPOOLS:,} ended spools, CPU"
    return Row(what, "% of a core", cpu, bound=Bound(0.1, on="ours"))


def _own(stage: Stage, name: str) -> Settings:
    """Return settings with a spool root of their own, so that the rows do not meet."""
    return stage.settings(spool_dir=stage.root / "spools" / name)


def _idle(settings: Settings, runs: int) -> dict[str, Any]:
    words = ["-m", "bench.idle", str(runs), str(HEARTBEATS_SECONDS)]
    found: dict[str, Any] = json.loads(_run(words, settings))
    return found


def _took_ms(words: list[str], settings: Settings) -> float:
    start = time.perf_counter()
    _run(words, settings)
    return (time.perf_counter() - start) * 1000


def _run(words: list[str], settings: Settings) -> str:
    named = settings.model_dump(exclude_unset=True)
    variables = {PREFIX + name.upper(): str(value) for name, value in named.items()}
    ran = subprocess.run(
        [sys.executable, *words],
        check=True, capture_output=True, text=True, env={**os.environ, **variables},
    )  # fmt: skip
    return ran.stdout
