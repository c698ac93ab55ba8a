"""Adoption where something is in the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adopt import Adopter
from synapse_stream.producer.left import LeftHome
from synapse_stream.producer.search import spools
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
    settings: Settings, homes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patch:
        patch.setattr(LeftHome, "write", refuse)
        (adoption,) = adopter(settings).adopt()
    assert (adoption.sent, adoption.is_lost) == (2, False)
    assert "no room" in str(adoption.trouble)
    assert types(settings) == ["message", "message"]

    (adoption,) = adopter(settings).adopt()
    assert adoption.is_lost
    assert types(settings) == ["message", "message", "producer_lost"]


def test_a_spool_of_which_only_one_home_is_here_is_left_alone(
    settings: Settings, homes: list[Path]
) -> None:
    if len(homes) == 1:
        pytest.skip("this machine has no shared memory")
    away = homes[0].with_name(".away")
    homes[0].rename(away)

    (adoption,) = adopter(settings).adopt()
    assert "a part of it is not here: its shared memory" in str(adoption.trouble)
    assert types(settings) == []

    away.rename(homes[0])
    (adoption,) = adopter(settings).adopt()
    assert adoption.sent == 3
    assert types(settings) == ["message", "message", "producer_lost"]
