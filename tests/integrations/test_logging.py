"""What the stdlib's `logging` is told, as events of a run."""

from __future__ import annotations

import logging
import threading

import pytest

from synapse_stream import RuntimeContext
from synapse_stream.integrations import logging as bridge
from synapse_stream.integrations.current import Current
from synapse_stream.integrations.logging import RunHandler, install
from synapse_stream.saying import voice
from tests.support.recording import RecordingLogger


@pytest.fixture
def kept() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def handler(kept: RecordingLogger) -> RunHandler:
    return RunHandler(run=RuntimeContext(kept, {}))


@pytest.fixture
def log(handler: RunHandler) -> logging.Logger:
    """Return a logger that reports to `kept`, and to nobody else, not even to pytest."""
    logger = logging.Logger("plugin.of.test", logging.DEBUG)  # noqa: LOG001 - one that pytest misses
    logger.addHandler(handler)
    return logger


def test_a_record_is_an_event_with_its_level_and_place(
    log: logging.Logger, kept: RecordingLogger
) -> None:
    for level in (5, 10, 20, 25, 30, 40, 50, 60):
        log.log(max(level, 10), "level %d", level)

    events = kept.of("log")
    assert [event["event"] for event in events] == [
        f"level {level}" for level in (5, 10, 20, 25, 30, 40, 50, 60)
    ]
    assert [event["level"] for event in events] == [
        *("debug", "debug", "info", "info", "warning", "error", "critical", "critical")
    ]
    assert events[0]["data"]["logger"] == "plugin.of.test"
    assert events[0]["data"]["place"].rpartition(":")[0] == __file__
    assert "extra" not in events[0]["data"]


def test_exceptions_stacks_and_extra_come_along(log: logging.Logger, kept: RecordingLogger) -> None:
    try:
        raise ZeroDivisionError("of a test")
    except ZeroDivisionError:
        log.exception("failed", extra={"epoch": 3, "tensor": object}, stack_info=True)

    (event,) = kept.of("log")
    data = event["data"]
    assert event["level"] == "error"
    assert data["exception"].startswith("Traceback")
    assert data["exception"].endswith("ZeroDivisionError: of a test")
    assert "test_exceptions_stacks" in data["stack"]
    assert data["extra"] == {"epoch": 3, "tensor": object}


def test_a_formatter_makes_the_text(
    log: logging.Logger, handler: RunHandler, kept: RecordingLogger
) -> None:
    handler.setFormatter(logging.Formatter("%(levelname)s|%(message)s"))
    log.info("one")

    assert kept.of("log")[0]["event"] == "INFO|one"


def test_what_cannot_be_filled_in_is_kept_as_it_is(
    log: logging.Logger, kept: RecordingLogger
) -> None:
    log.info("%d epochs", "many")

    assert kept.of("log")[0]["event"].startswith("%d epochs ('many',)")


def test_a_value_that_logs_when_it_is_looked_at_ends(
    log: logging.Logger, kept: RecordingLogger
) -> None:
    class Talkative:
        def __str__(self) -> str:
            log.info("looked at", extra={"by": self})
            return "talkative"

    log.info("%s", Talkative())

    assert [event["event"] for event in kept.of("log")] == ["looked at", "talkative"]
    assert "extra" not in kept.of("log")[0]["data"]


def test_a_record_that_somebody_made_of_nothing_is_said_and_raises_nothing(
    handler: RunHandler, kept: RecordingLogger, caplog: pytest.LogCaptureFixture
) -> None:
    handler.handle(logging.makeLogRecord({}))

    assert kept.events == []
    assert "its reports are lost" in caplog.text


def test_nothing_of_our_own_is_reported(
    log: logging.Logger,
    handler: RunHandler,
    kept: RecordingLogger,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What sends events says things, too: an event for each of them would never end."""
    ours = [logging.getLogger("synapse_stream"), logging.getLogger("synapse_stream.log")]
    for logger in ours:
        logger.addHandler(handler)
    try:
        voice.warn("of ours")
        ours[1].warning("of ours, too")
        shipper = threading.Thread(
            target=log.debug, args=("POST /append",), name="synapse-stream-shipper"
        )
        shipper.start()
        shipper.join()
    finally:
        for logger in ours:
            logger.removeHandler(handler)
    logging.getLogger("synapse_streams").addHandler(handler)
    logging.getLogger("synapse_streams").warning("somebody else")
    logging.getLogger("synapse_streams").removeHandler(handler)

    assert "of ours" in caplog.text
    assert [event["event"] for event in kept.of("log")] == ["somebody else"]


def test_behind_the_end_it_is_said_once_and_never_raises(
    log: logging.Logger, kept: RecordingLogger, caplog: pytest.LogCaptureFixture
) -> None:
    kept.end_log()
    for number in range(3):
        log.info("late %d", number)

    assert kept.of("log") == []
    assert caplog.text.count("it came behind the end of the run") == 1


def test_installed_twice_it_reports_once_and_leaves_the_root_logger_alone(
    monkeypatch: pytest.MonkeyPatch, kept: RecordingLogger
) -> None:
    monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)
    monkeypatch.setattr(bridge, "_installed", [])
    before = list(logging.getLogger().handlers)
    install()
    install()
    (handler,) = bridge._installed
    monkeypatch.setattr(handler, "_current", Current(RuntimeContext(kept, {})))
    logger = logging.getLogger("plugin.installed")
    logger.addHandler(RunHandler())
    logger.warning("once")

    assert [event["event"] for event in kept.of("log")] == ["once"]
    assert logging.getLogger().handlers == before
