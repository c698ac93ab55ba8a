from __future__ import annotations

import asyncio
import logging
import math
import threading
from typing import Any

import pytest

from synapse_stream.errors import RunEnded
from synapse_stream.loggers.base import BaseLogger
from synapse_stream.loggers.endings import Terminated, ending
from synapse_stream.loggers.null import NullLogger
from synapse_stream.models import RunStatus
from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.reporting.environment import PluginEnvironment
from tests.support.recording import BrokenLogger, RecordingLogger


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def ctx(logger: RecordingLogger) -> RuntimeContext:
    return RuntimeContext(logger)


@pytest.mark.parametrize(
    ("report", "error", "says"),
    [
        (lambda ctx: ctx.log("x", ["no mapping"]), TypeError, "data"),
        (lambda ctx: ctx.log("x", {}, level="loud"), ValueError, "loud"),
        (lambda ctx: ctx.set_progress(3, 2), ValueError, "current=3, total=2"),
        (lambda ctx: ctx.set_progress(0, 0), ValueError, "total > 0"),
        (lambda ctx: ctx.set_progress(math.nan, 2), ValueError, "nan"),
        (lambda ctx: ctx.set_progress(1, 2, step=7), TypeError, "step"),
        (lambda ctx: ctx.set_metrics([1]), TypeError, "mapping"),
        (lambda ctx: ctx.set_metrics({"loss": "low"}), TypeError, "loss"),
        (lambda ctx: ctx.log_message(5), TypeError, "message"),
        (lambda ctx: ctx.log_message("x", "loud"), ValueError, "loud"),
        (lambda ctx: ctx.end_log("running"), ValueError, "running"),
    ],
)
def test_a_wrong_argument_raises_where_it_is_strict_and_nothing_is_recorded(
    ctx: RuntimeContext, logger: RecordingLogger, report: Any, error: type[Exception], says: str
) -> None:
    logger.strict = True
    with pytest.raises(error, match=says):
        report(ctx)

    assert logger.events == []


@pytest.mark.parametrize(
    "report",
    [
        lambda ctx: ctx.log("x", {}),
        lambda ctx: ctx.set_progress(1, 2),
        lambda ctx: ctx.set_progress_failed(),
        lambda ctx: ctx.set_metrics({"loss": 1}),
        lambda ctx: ctx.log_message("x"),
        lambda ctx: ctx.log_dev_event("x"),
        lambda ctx: ctx.track([1]),
        lambda ctx: ctx.action("train").__enter__(),
    ],
)
def test_every_report_after_the_end_says_which_job_has_ended(
    ctx: RuntimeContext, logger: RecordingLogger, report: Any
) -> None:
    ctx.end_log()

    with pytest.raises(RunEnded, match="job-1"):
        report(ctx)

    assert logger.kinds == ["end"]


def test_no_failure_of_a_logger_reaches_the_plugin_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = BrokenLogger()
    ctx = RuntimeContext(logger)

    ctx.log("x", {})
    ctx.set_metrics({"loss": 1})
    assert ctx.flush(0) is False
    ctx.end_log()

    assert logger.times_closed == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "BrokenLogger" in caplog.text
    assert "no place for log" in caplog.text


def test_a_failed_step_keeps_its_percentage_and_says_why(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.set_progress_failed("training", ValueError("no data"))

    (event,) = logger.events
    assert event.step == "training"
    assert event.fields == {"failed": True, "error": "ValueError: no data"}


def test_the_end_keeps_status_error_and_result(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.end_log(RunStatus.FAILED, "no data", {"loss": 1})
    ctx.end_log()

    assert logger.of("end") == [{"status": "failed", "error": "no data", "result": {"loss": 1}}]


def test_of_many_threads_that_end_a_run_one_does(logger: RecordingLogger) -> None:
    ctx = RuntimeContext(logger)
    start = threading.Barrier(8)

    def end() -> None:
        start.wait()
        ctx.end_log()

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (logger.kinds, logger.times_closed) == (["end"], 1)


def test_an_interrupted_end_can_be_made_up_for() -> None:
    class Interrupted(RecordingLogger):
        is_interrupted = True

        def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
            if self.is_interrupted:
                self.is_interrupted = False
                raise KeyboardInterrupt
            super().record(kind, step, fields)

    logger = Interrupted()
    with pytest.raises(KeyboardInterrupt), RuntimeContext(logger) as ctx:
        ctx.end_log()

    assert logger.of("end") == [{"status": "cancelled", "error": "KeyboardInterrupt"}]


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (ValueError("bad data"), "failed", "ValueError: bad data\n\nTraceback"),
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (Terminated(143), "cancelled", "SIGTERM"),
        (asyncio.CancelledError(), "cancelled", "CancelledError"),
        (SystemExit(3), "failed", "exited with status 3"),
        (SystemExit("out of data"), "failed", "out of data"),
    ],
)
def test_an_exception_ends_the_run_and_goes_on(
    logger: RecordingLogger, error: BaseException, status: str, says: str
) -> None:
    with pytest.raises(type(error)) as raised, RuntimeContext(logger):
        raise error

    assert raised.value is error
    (end,) = logger.of("end")
    assert end["status"] == status
    assert end["error"].startswith(says) or says in end["error"]


@pytest.mark.parametrize("code", [None, 0, False])
def test_a_good_exit_completes_the_run(logger: RecordingLogger, code: Any) -> None:
    with pytest.raises(SystemExit), RuntimeContext(logger):
        raise SystemExit(code)

    assert logger.of("end") == [{"status": "completed"}]


def test_leaving_normally_completes_the_run(logger: RecordingLogger) -> None:
    with RuntimeContext(logger) as ctx:
        ctx.log_message("done")

    assert logger.kinds == ["message", "end"]
    assert logger.of("end") == [{"status": "completed"}]


def test_a_long_error_keeps_both_of_its_ends() -> None:
    _, text = ending(ValueError("first " + "x" * 100_000 + " last"))

    assert text is not None
    assert len(text) < 20_000
    assert text.startswith("ValueError: first")
    assert text.endswith("last")
    assert "characters cut" in text


def test_an_exception_that_cannot_be_shown_still_has_its_name() -> None:
    class Hidden(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    status, text = ending(Hidden())

    assert status is RunStatus.FAILED
    assert text is not None
    assert "Hidden" in text


def test_the_job_is_that_of_the_logger_unless_named(logger: RecordingLogger) -> None:
    assert RuntimeContext(logger).job_id == "job-1"
    assert RuntimeContext(logger, job_id="job-2").job_id == "job-2"


def test_the_environment_may_be_a_mapping_and_is_else_that_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_NAME", "some value")
    given = PluginEnvironment({"a": 1})

    assert RuntimeContext(NullLogger(), env=given).env is given
    assert RuntimeContext(NullLogger(), env={"a": 1}).env.a == 1
    assert RuntimeContext(NullLogger()).env.some_name == "some value"


def test_a_null_logger_checks_and_keeps_nothing() -> None:
    ctx = RuntimeContext(NullLogger())
    ctx.logger.strict = True

    ctx.set_metrics({"loss": 1})
    with pytest.raises(TypeError):
        ctx.set_metrics({"loss": "low"})
    assert ctx.flush() is True


def test_a_logger_needs_only_record() -> None:
    class Counting(BaseLogger):
        count = 0

        def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
            self.count += 1

    logger = Counting()
    with RuntimeContext(logger) as ctx:
        ctx.log_message("x")

    assert logger.count == 2
