"""Adoption where something is in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adopt import Adopter, spools
from synapse_stream.settings import PREFIX
from synapse_stream.stream import JobStream

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings

PLUGIN = """
import os, signal
from synapse_stream.errors import LogUnavailable
from synapse_stream.loggers.stream import StreamLogger
def refuse():
    raise LogUnavailable("none of the events is sent")
logger = StreamLogger("job-1", open_log=refuse)
for text in ("one", "two"):
    logger.log_message(text)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def homes(settings: Settings) -> list[Path]:
    """Name the homes of a spool whose process was killed."""
    named = {
        PREFIX + name.upper(): str(value)
        for name, value in settings.model_dump(exclude_none=True, exclude_unset=True).items()
    }
    done = subprocess.run([sys.executable, "-c", PLUGIN], env={**os.environ, **named}, check=False)
    assert done.returncode == -signal.SIGKILL
    (homes,) = spools(settings).values()
    return homes


def adopter(settings: Settings) -> Adopter:
    return Adopter(settings, lambda: open_log(settings))


def types(settings: Settings) -> list[str]:
    return [recorded.event.type for recorded in JobStream("job-1", settings).read()]


def test_events_are_sent_even_where_the_death_cannot_be_written_down(
    settings: Settings, homes: list[Path]
) -> None:
    """As on a full disk; a directory in the place of the file stands for it."""
    obstacle = homes[-1] / "00000001.tmp"
    obstacle.mkdir()

    assert adopter(settings).adopt() == []
    assert types(settings) == ["message", "message"]

    obstacle.rmdir()
    (adoption,) = adopter(settings).adopt()
    assert adoption.is_lost
    assert types(settings) == ["message", "message", "producer_lost"]


def test_a_spool_of_which_only_one_home_was_seen_is_left_for_the_next_look(
    settings: Settings, homes: list[Path]
) -> None:
    if len(homes) == 1:
        pytest.skip("this machine has no shared memory")

    assert adopter(settings)._adopt(homes[1:]) is None
    assert types(settings) == []
