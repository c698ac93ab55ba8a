"""The stream logger's ends: what it leaves behind, and what it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.errors import LogUnavailable, RunEnded
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.producer.adoption.search import spools
from synapse_stream.reading.stream import JobStream
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings


def types(settings: Settings, job_id: str) -> list[str]:
    return [recorded.event.type for recorded in JobStream(job_id, settings).read()]


def test_a_logger_that_recorded_nothing_leaves_nothing(settings: Settings) -> None:
    logger = StreamLogger("job-1", settings)
    logger.wait_ready(10)

    logger.close()
    logger.close()

    assert types(settings, "job-1") == []
    assert spools(settings) == {}


def test_a_closed_logger_leaves_the_run_open_and_its_numbers_sealed(settings: Settings) -> None:
    logger = StreamLogger("job-1", settings)
    logger.log_message("one")
    logger.close()

    *_, end = JobStream("job-1", settings).read()
    assert (end.event.type, end.event.status, end.event.count) == ("end", None, 2)  # type: ignore[attr-defined]


def test_an_ended_logger_takes_nothing_more(settings: Settings) -> None:
    logger = StreamLogger("job-1", settings)
    logger.end_log()
    logger.end_log("failed")

    with pytest.raises(RunEnded, match="job-1"):
        logger.log_message("late")
    assert types(settings, "job-1") == ["end"]


def test_an_ended_spool_stays_for_the_rewind_window(settings: Settings) -> None:
    logger = StreamLogger("job-1", settings)
    logger.end_log()

    assert len(spools(settings)) == 1


def test_without_a_server_a_logger_says_so_and_keeps_the_events(settings: Settings) -> None:
    absent = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    logger = StreamLogger("job-1", absent)
    with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:1"):
        logger.wait_ready(10)
    logger.log_message("kept")
    logger.end_log()

    def parked() -> list[Path]:
        (homes,) = spools(absent).values()
        return list(homes[-1].glob("*.seg"))

    (segment,) = wait_until(parked)
    assert b'"content":"kept"' in segment.read_bytes()


def test_flush_does_not_wait_for_a_logger_that_has_ended(settings: Settings) -> None:
    logger = StreamLogger("job-1", settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"}))
    logger.end_log()

    assert logger.flush() is False


def test_a_discarded_logger_takes_nothing_silently(settings: Settings) -> None:
    logger = StreamLogger("job-1", settings)
    logger.close()

    with pytest.raises(RunEnded, match="job-1"):
        logger.log_message("late")
