"""The longest report call while the disk of the spool is frozen.

The spool's directory is on a small ext4 of its own, frozen by `fsfreeze`: what a hanging network
disk, an exhausted cloud volume or a snapshot does. The server's disk is another one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.calls import PAUSE_SECONDS
from bench.figures import Bound, Row
from bench.stage import (
    STEP,
    Stage,
    clear_shared_memory,
    file_logger,
    metric_values,
    time_calls,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FROZEN_SECONDS = 5.0
DISK_BYTES = 1024 * 1024 * 1024
TOOLS = ("mkfs.ext4", "mount", "umount", "fsfreeze")


def rows(stage: Stage) -> Iterator[Row]:
    """Emit paced and in a tight loop while frozen; afterwards every event must be in the stream."""
    pauses = {f"a call each {PAUSE_SECONDS * 1000:g} ms": PAUSE_SECONDS, "tight loop": 0.0}
    for name, pause in pauses.items():
        what = f"longest set_metrics, spool's disk frozen {FROZEN_SECONDS:g} s, {name}"
        bound = Bound(50, on="ours")
        if obstacle := _obstacle():
            yield Row(what, "ms", against="FileHandler", bound=bound, void=obstacle)
            continue
        measured = [_round(stage, pause) for _ in range(max(1, stage.scale.rounds // 3))]
        ours, theirs = zip(*measured, strict=True)
        yield Row(what, "ms", ours, theirs, "FileHandler", bound)


def _obstacle() -> str:
    if os.geteuid() != 0:
        return "needs root"
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"needs {', '.join(lacking)}" if lacking else ""


def _round(stage: Stage, pause: float) -> tuple[float, float]:
    """Return the longest call of ours and that of FileHandler on the same disk, in ms."""
    with _disk(stage.root) as disk, file_logger(disk / "yardstick.log") as logger:
        with stage.run(spool_dir=disk / "spool") as context:
            yardstick: list[float] = []
            victim = threading.Thread(
                target=lambda: yardstick.extend(time_calls(logger.info, [("frozen?",)]))
            )
            thaw = _freeze(disk)
            victim.start()
            took = time_calls(context.set_metrics, _until(thaw), pause)
            thaw.join()
            victim.join()
            assert context.flush(120)
            job_id = context.job_id
        clear_shared_memory(disk / "spool")
        assert yardstick[0] > 0.9e6 * FROZEN_SECONDS, "the disk was not frozen"
        assert job_id is not None
        numbers = stage.numbers(job_id)
        assert numbers == list(range(len(numbers))), "not exactly once, in order"
        assert len(numbers) == len(took) + 2, f"{len(took)} calls, {len(numbers)} events"
    return max(took) / 1_000, yardstick[0] / 1_000


def _freeze(disk: Path) -> threading.Timer:
    """Freeze `disk`; the timer returned thaws it, whatever hangs meanwhile."""
    _execute("fsfreeze", "--freeze", disk)
    thaw = threading.Timer(FROZEN_SECONDS, _execute, ("fsfreeze", "--unfreeze", disk))
    thaw.start()
    return thaw


def _until(thaw: threading.Timer) -> Iterator[tuple[Any, ...]]:
    for values in metric_values(10**9):
        if not thaw.is_alive():
            return
        yield values, STEP


@contextmanager
def _disk(root: Path) -> Iterator[Path]:
    image, disk = root / "disk.img", root / "disk"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    disk.mkdir()
    try:
        _execute("mkfs.ext4", "-q", image)
        _execute("mount", "-o", "loop", image, disk)
        try:
            yield disk
        finally:
            _unmount(disk)
    finally:
        disk.rmdir()
        image.unlink()


def _unmount(disk: Path) -> None:
    for _ in range(20):  # the last writer may still be closing its file
        if subprocess.run(["umount", disk], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    _execute("umount", "--lazy", disk)


def _execute(*command: Any) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
