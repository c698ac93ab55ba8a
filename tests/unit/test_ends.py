"""Who decides how a run ends: the caller by a status, its block, or what is in flight."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import Any

import pytest

from synapse_stream.errors import RunEnded
from synapse_stream.loggers.endings import Terminated, ending
from synapse_stream.reporting.action import BaseAction, run_action
from synapse_stream.reporting.context import RuntimeContext
from tests.support.recording import RecordingLogger


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def ctx(logger: RecordingLogger) -> RuntimeContext:
    return RuntimeContext(logger)


def group(*errors: BaseException) -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup("tasks", errors)


class Cancelled(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (group(KeyboardInterrupt()), "cancelled", "KeyboardInterrupt"),
        (group(ValueError("x"), group(KeyboardInterrupt())), "cancelled", "KeyboardInterrupt"),
        (group(Terminated(129), OSError()), "cancelled", "terminated by SIGHUP"),
        (group(asyncio.CancelledError(), Cancelled()), "cancelled", "BaseExceptionGroup"),
        (group(asyncio.CancelledError(), ValueError("x")), "failed", "BaseExceptionGroup: tasks"),
        (group(SystemExit(0)), "failed", "BaseExceptionGroup: tasks"),
        (Cancelled(), "cancelled", "Cancelled"),
        (SystemExit(-1), "failed", "exited with status -1"),
        (SystemExit(None), "completed", None),
    ],
)
def test_what_an_exception_means(
    error: BaseException, status: str, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trio = ModuleType("trio")
    trio.Cancelled = Cancelled  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trio", trio)

    found, said = ending(error)

    assert found == status
    assert (said or "").startswith(text or "")
    assert (said is None) == (text is None)


@pytest.mark.parametrize(
    ("first", "status"), [(KeyboardInterrupt(), "cancelled"), (ValueError("x"), "failed")]
)
def test_an_exit_that_answers_ctrl_c_is_a_cancellation(first: BaseException, status: str) -> None:
    def work() -> None:
        try:
            raise first
        except (KeyboardInterrupt, ValueError):
            sys.exit(1)

    with pytest.raises(SystemExit) as raised:
        work()

    assert ending(raised.value)[0] == status


def test_exceptions_that_are_each_others_cause_are_looked_at_once() -> None:
    first, second = SystemExit(1), ValueError()
    first.__context__, second.__context__ = second, first

    assert ending(first)[0] == "failed"


def test_an_exit_code_that_cannot_be_shown_is_named_by_its_type() -> None:
    class Silent:
        def __str__(self) -> str:
            raise RuntimeError

    assert ending(SystemExit(Silent())) == ("failed", "exited with a Silent")


def test_an_end_waits_for_its_block_and_reports_behind_it_are_late(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    with ctx:
        ctx.end_log(result=7)
        assert logger.kinds == []
        with pytest.raises(RunEnded):
            ctx.log_message("late")

    assert logger.of("end") == [{"status": "completed", "result": 7}]


def test_the_status_of_an_action_is_told_though_the_end_waits(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    with ctx, ctx.action("train"):
        ctx.end_log()

    assert logger.actions == [("train", "running"), ("train", "completed")]
    assert logger.kinds[-1] == "end"


@pytest.mark.parametrize("named", ["completed", "failed", "cancelled"])
def test_a_status_that_is_named_stands_whatever_leaves_the_block(
    ctx: RuntimeContext, logger: RecordingLogger, named: str
) -> None:
    def work() -> None:
        ctx.end_log()
        ctx.end_log(named)
        raise OSError("late")

    with pytest.raises(OSError, match="late"), ctx:
        work()

    assert logger.of("end") == [{"status": named}]


def test_an_error_without_a_status_is_a_failure(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    with ctx:
        ctx.end_log(error="no data")

    assert logger.of("end") == [{"status": "failed", "error": "no data"}]


@pytest.mark.parametrize("by", ["context", "logger"])
def test_an_exception_in_flight_decides_where_there_is_no_block(
    ctx: RuntimeContext, logger: RecordingLogger, by: str
) -> None:
    def work() -> None:
        try:
            raise MemoryError
        finally:
            (ctx if by == "context" else ctx.logger).end_log()

    with pytest.raises(MemoryError):
        work()

    (end,) = logger.of("end")
    assert (end["status"], end["error"][:11]) == ("failed", "MemoryError")


def test_an_action_that_ends_in_a_finally_and_raises_has_failed(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    class Train(BaseAction[Any]):
        def execute(self) -> None:
            try:
                raise MemoryError
            finally:
                self.ctx.end_log()

    with pytest.raises(MemoryError):
        run_action(Train, {}, ctx)

    assert [end["status"] for end in logger.of("end")] == ["failed"]


def test_a_signal_that_is_no_reason_for_the_end_is_named_with_it(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    logger.note_signal("SIGTERM")
    ctx.log_message("went on")
    ctx.end_log()
    logger.note_signal("SIGHUP")  # too late, and no matter

    assert logger.kinds == ["terminating", "message", "end"]
    assert logger.of("end") == [{"status": "completed", "signal": "SIGTERM"}]


def test_a_cancellation_needs_no_signal_beside_it(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    logger.mark_signal("SIGTERM")

    with pytest.raises(Terminated), ctx:
        raise Terminated

    assert logger.of("end") == [{"status": "cancelled", "error": "terminated by SIGTERM"}]
