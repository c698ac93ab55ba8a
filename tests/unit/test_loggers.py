from __future__ import annotations

import signal
from typing import Any
from unittest.mock import Mock, call

import pytest

from synapse_stream.errors import RunEnded
from synapse_stream.loggers.endings import Terminated
from synapse_stream.loggers.many import ManyLogger
from synapse_stream.reporting.context import RuntimeContext
from tests.support.recording import BrokenLogger, RecordingLogger


class DocumentedLogger:
    """Has the methods and parameters of the documented page, no more."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def log(self, event: str, data: dict[str, Any], file: str | None = None) -> None:
        self.seen.append((event, data, file))

    def set_progress(self, current: int, total: int, step: str | None = None) -> None:
        self.seen.append((current, total, step))

    def set_metrics(self, value: dict[str, Any], step: str | None = None) -> None:
        self.seen.append((value, step))

    def log_message(self, message: str, context: str = "info") -> None:
        self.seen.append((message, context))

    def log_dev_event(self, message: str, data: dict[str, Any] | None = None) -> None:
        self.seen.append((message, data))

    def end_log(self) -> None:
        self.seen.append("end")


def test_an_object_with_the_documented_methods_serves() -> None:
    logger = DocumentedLogger()

    with RuntimeContext(logger=logger) as ctx:
        ctx.log("checkpoint", {"epoch": 5}, file="/model.pt")
        ctx.set_progress(1, 2)
        with ctx.step("training"):
            ctx.set_metrics({"loss": 0.5})
        ctx.log_message("careful", context="warning")
        ctx.log_dev_event("cache", {"hits": 1})
        ctx.log_dev_event("cold")

    assert ctx.logger is logger
    assert logger.seen == [
        ("checkpoint", {"epoch": 5}, "/model.pt"),
        (1, 2, None),
        ({"loss": 0.5}, "training"),
        ("careful", "warning"),
        ("cache", {"hits": 1}),
        ("cold", None),
        "end",
    ]


def test_a_mock_serves_and_sees_calls_as_the_plugin_made_them() -> None:
    logger = Mock()

    with RuntimeContext(logger=logger) as ctx:
        ctx.log("x", {"a": 1}, level="warning", step="s")
        ctx.set_progress(1, 2, step="training")
        ctx.set_progress_failed(error="broken")
        ctx.set_metrics({"loss": 0.5}, x=3)
        ctx.log_message({"en": "{n} files", "de": "{n} Dateien"}, n=2)
        ctx.end_log("failed", "bad data")

    assert ctx.logger is logger
    assert ctx.job_id is None
    assert logger.mock_calls == [
        call.log("x", {"a": 1}, level="warning", step="s"),
        call.set_progress(1, 2, step="training"),
        call.set_progress_failed(error="broken"),
        call.set_metrics({"loss": 0.5}, x=3),
        call.log_message("2 files"),
        call.end_log(status="failed", error="bad data"),
    ]


def test_the_rules_hold_before_a_foreign_logger_is_called() -> None:
    logger = Mock()
    ctx = RuntimeContext(logger=logger)

    with pytest.raises(TypeError, match="mapping"):
        ctx.set_metrics([0.5])  # type: ignore[arg-type]
    ctx.end_log()
    ctx.end_log()
    with pytest.raises(RunEnded):
        ctx.log_message("late")

    assert logger.mock_calls == [call.end_log()]


def test_methods_that_a_foreign_logger_lacks_are_left_out() -> None:
    logger = Mock(spec=["log_message", "job_id"])
    logger.job_id = "job-9"

    with RuntimeContext(logger=logger) as ctx, ctx.action("train"):
        ctx.set_metrics({"loss": 1})
        ctx.log_message("hello")
        assert ctx.flush() is True

    assert ctx.job_id == "job-9"
    assert logger.mock_calls == [call.log_message("hello")]


def test_a_foreign_logger_that_raises_does_not_reach_the_plugin(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = Mock()
    logger.log_message.side_effect = OSError("disk full")
    ctx = RuntimeContext(logger=logger)

    ctx.log_message("one")
    ctx.log_message("two")

    assert logger.log_message.call_count == 2
    assert [record.getMessage() for record in caplog.records] == [
        "job None: Mock failed and its reports are lost; the run goes on: OSError: disk full"
    ]


@pytest.mark.parametrize(("answer", "expected"), [(True, True), (False, False), (None, True)])
def test_a_foreign_logger_is_asked_to_flush(answer: Any, expected: Any) -> None:
    logger = Mock()
    logger.flush.return_value = answer

    assert RuntimeContext(logger=logger).flush(1.5) is expected
    logger.flush.assert_called_once_with(1.5)


@pytest.mark.parametrize("logger", [None, "stderr", object()])
def test_what_has_no_method_of_a_logger_is_refused(logger: Any) -> None:
    with pytest.raises(TypeError, match="NullLogger"):
        RuntimeContext(logger=logger)


def test_many_loggers_all_get_everything_and_end_and_close_once() -> None:
    first, second = RecordingLogger(job_id=None), RecordingLogger("job-2")
    logger = ManyLogger(first, second)

    with RuntimeContext(logger) as ctx, ctx.step("training"):
        ctx.set_metrics({"loss": 1})
        ctx.end_log()

    assert ctx.job_id == "job-2"
    assert first.events == second.events
    assert [(event.kind, event.step) for event in first.events] == [
        ("metrics", "training"),
        ("end", None),
    ]
    assert (first.times_closed, second.times_closed) == (1, 1)


def test_a_failing_logger_hinders_no_other_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, good, foreign = BrokenLogger(), RecordingLogger(), Mock()
    logger = ManyLogger(broken, good, foreign)

    with RuntimeContext(logger) as ctx:
        ctx.log_message("one")
        ctx.log_message("two")
        assert ctx.flush(1) is False

    assert good.kinds == ["message", "message", "end"]
    assert (broken.times_closed, good.times_closed) == (1, 1)
    assert [made[0] for made in foreign.mock_calls] == [
        "log_message", "log_message", "flush", "end_log",
    ]  # fmt: skip
    assert len(caplog.records) == 1
    assert "BrokenLogger" in caplog.text


def test_one_of_many_that_was_ended_by_itself_is_not_ended_twice() -> None:
    first, second = RecordingLogger(), RecordingLogger()

    with RuntimeContext(ManyLogger(first, second)):
        first.end_log("failed")

    assert first.of("end") == [{"status": "failed"}]
    assert second.of("end") == [{"status": "completed"}]


def test_many_loggers_share_one_time_to_flush() -> None:
    waits: list[float] = []

    class Slow(RecordingLogger):
        def flush(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(timeout)
            return True

    assert ManyLogger(Slow(), Slow()).flush(5.0) is True
    assert 0 <= waits[1] <= waits[0] <= 5.0


@pytest.mark.parametrize("error", [SystemExit(1), OSError("gone"), RecursionError()], ids=repr)
def test_whatever_a_foreign_logger_raises_the_plugin_goes_on(error: BaseException) -> None:
    logger = Mock()
    for name in ("log", "set_progress", "set_metrics", "log_message", "log_dev_event", "flush"):
        getattr(logger, name).side_effect = error
    logger.end_log.side_effect = error
    for ctx in (RuntimeContext(logger), RuntimeContext(ManyLogger(logger, RecordingLogger()))):
        with ctx:
            ctx.log("event", {})
            ctx.set_progress(1, 2)
            ctx.set_metrics({"loss": 1})
            ctx.log_message("hello")
            ctx.log_dev_event("cold")
            assert ctx.flush() is False


class TooLate(Exception):
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, TooLate, SystemExit, Terminated])
@pytest.mark.parametrize("call", ["log_message", "flush", "end_log"])
def test_what_a_signals_handler_raises_within_a_logger_reaches_the_plugin(
    error: type[BaseException], call: str
) -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise error

    logger = Mock(**{f"{call}.side_effect": lambda *_, **__: signal.raise_signal(signal.SIGUSR1)})
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        for ctx in (RuntimeContext(logger), RuntimeContext(ManyLogger(logger))):
            with pytest.raises(error):
                getattr(ctx, call)(*(["hello"] if call == "log_message" else []))
    finally:
        signal.signal(signal.SIGUSR1, before)
