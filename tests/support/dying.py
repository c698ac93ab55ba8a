"""Plugins that die, for tests of those who come after them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_stream.producer.adoption.search import spools
from synapse_stream.settings import PREFIX

if TYPE_CHECKING:
    from synapse_stream.settings import Settings

ROOT = Path(__file__).parents[2]

BEGIN = """
import os, signal, sys, time
from synapse_stream.errors import LogUnavailable
from synapse_stream.loggers.stream import StreamLogger
def refuse():
    raise LogUnavailable("none of the events is sent")
logger = StreamLogger("job-1", open_log=refuse if {is_away} else None)
for text in ("one", "two"):
    logger.log_message(text)
if not {is_away}:
    assert logger.flush(30)
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)\n"
WAIT = "print('ready', flush=True)\nsys.stdin.read()\n"


def named(settings: Settings) -> dict[str, str]:
    """Return an environment with these settings."""
    values = {
        "REDIS_URL": settings.redis_url,
        "NAMESPACE": settings.namespace,
        "DATA_DIR": settings.data_dir,
        "MEMORY_DIR": settings.memory_dir,
        "SPOOL_MEMORY_BYTES": settings.spool_memory_bytes,
    }
    given = {PREFIX + name: str(value) for name, value in values.items() if value is not None}
    rest = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**rest, **given}


def program(then: str, *, is_away: bool = True) -> str:
    """Return a plugin that reports two messages, which no server takes if it is away."""
    return BEGIN.format(is_away=is_away) + then


def die(settings: Settings, then: str = KILL, *, is_away: bool = True) -> list[Path]:
    """Run a plugin until it is killed; return its homes."""
    done = subprocess.run(
        [sys.executable, "-c", program(then, is_away=is_away)],
        env=named(settings),
        cwd=ROOT,
        check=False,
        stderr=subprocess.DEVNULL,
    )
    assert done.returncode == -signal.SIGKILL
    (homes,) = spools(settings).values()
    return homes


def live(settings: Settings, then: str = WAIT, *, is_away: bool = True) -> subprocess.Popen[bytes]:
    """Start a plugin that lives until its input ends; return when it has reported."""
    process = subprocess.Popen(
        [sys.executable, "-c", program(then, is_away=is_away)],
        env=named(settings),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process
