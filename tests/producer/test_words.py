"""Logging that raises or hangs, and a standard error that is gone, while the server is away."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.reading.stream import JobStream
from synapse_stream.saying import voice
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings


class Raising(logging.Handler):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.times = 0

    def handle(self, _record: logging.LogRecord) -> bool:
        self.times += 1
        raise self.error


class Hanging(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.times = 0

    def emit(self, _record: logging.LogRecord) -> None:
        self.times += 1
        self.goes_on.wait()


@pytest.fixture(params=["OSError", "SystemExit", "MemoryError", "hangs", "closed"])
def words(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Break what is said, in one way or another."""
    kinds = {"OSError": OSError, "SystemExit": SystemExit, "MemoryError": MemoryError}
    handler: Any = Hanging()
    if request.param in kinds:
        handler = Raising(kinds[request.param]())
    elif request.param == "closed":
        stream = open(2, "w", closefd=False)  # noqa: SIM115 - a descriptor; closed at once
        monkeypatch.setattr(sys, "stderr", stream)
        stream.close()
        handler = logging.StreamHandler(stream)
    monkeypatch.setattr(voice, "_LONGEST_WAIT_SECONDS", 0.05)
    logger = logging.getLogger("synapse_stream")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    if isinstance(handler, Hanging):
        handler.goes_on.set()


def test_events_arrive_when_the_server_is_back_whatever_became_of_the_words(
    settings: Settings, words: Any
) -> None:
    is_back = threading.Event()
    tries = []

    def connect() -> EventLog:
        tries.append(1)
        if not is_back.is_set():
            reason = f"trouble {len(tries)}"  # a new one each time, so that there is much to say
            raise LogUnavailable(reason)
        return open_log(settings)

    with_words: Callable[[], EventLog] = connect
    logger = StreamLogger("job-1", settings, open_log=with_words)
    logger.set_metrics({"loss": 0.5, "val_loss": None})
    wait_until(lambda: len(tries) > 3)
    is_back.set()
    assert logger.flush(20)
    logger.end_log()

    assert getattr(words, "times", 1) > 0
    kinds = [found.event.type for found in JobStream("job-1", settings).read()]
    assert kinds == ["metrics", "dev_event", "end"]
