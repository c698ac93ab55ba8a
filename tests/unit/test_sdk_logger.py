"""A logger of the Synapse SDK behind our context: told by how it is called."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from synapse_stream.events.joblog import Said
from synapse_stream.loggers.foreign import ForeignLogger, adapt
from synapse_stream.loggers.sdk_logger import SdkLogger
from synapse_stream.models import ActionStatus, LogLevel
from synapse_stream.reporting.context import RuntimeContext


class Logger:
    """Has the methods and parameters of the SDK's base of loggers."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.job_id = "job-1"

    def log(
        self, level: Any, event: str, data: Any, file: str | None = None, step: str | None = None
    ) -> None:
        self.seen.append((event, str(level), data, file, step))

    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        self.seen.append(("progress", current, total, step))

    def set_progress_failed(self, step: str | None = None) -> None:
        self.seen.append(("failed", step))

    def set_metrics(self, value: dict[str, Any], step: str | None = None) -> None:
        if not step:
            raise ValueError("step must be specified")
        self.seen.append(("metrics", value, step))

    def get_step(self) -> None:
        return None

    def finish(self) -> None:
        self.seen.append(("finish",))


@pytest.fixture
def logger() -> Logger:
    return Logger()


@pytest.mark.parametrize(
    ("report", "seen"),
    [
        (
            lambda ctx: ctx.log("saved", {"at": 1}, "/m.pt", level="warning", step="s"),
            [("saved", "warning", {"at": 1}, "/m.pt", "s")],
        ),
        (
            lambda ctx: ctx.log_message("broken", "danger", step="s"),
            [("message", "danger", {"content": "broken"}, None, "s")],
        ),
        (
            lambda ctx: ctx.log_dev_event("cache", {"hits": np.int64(1)}),
            [("dev_event", "debug", {"message": "cache", "data": {"hits": 1}}, None, None)],
        ),
        (lambda ctx: ctx.set_progress(1, 2, "s"), [("progress", 1, 2, "s")]),
        (lambda ctx: ctx.set_metrics({"loss": 1}), [("metrics", {"loss": 1}, "__default__")]),
        (lambda ctx: ctx.set_metrics({"a": 1}, "s", x=3), [("metrics", {"x": 3, "a": 1}, "s")]),
        (
            lambda ctx: ctx.set_progress_failed("s", "no data"),
            [("failed", "s"), ("progress_failed", "error", {"error": "no data"}, None, "s")],
        ),
        (lambda ctx: ctx.set_progress_failed("s"), [("failed", "s")]),
        (lambda ctx: ctx.end_log(), [("finish",)]),
        (
            lambda ctx: ctx.end_log("failed", "no data"),
            [("end", "error", {"status": "failed", "error": "no data"}, None, None), ("finish",)],
        ),
        (
            lambda ctx: ctx.end_log("cancelled"),
            [("end", "warning", {"status": "cancelled"}, None, None), ("finish",)],
        ),
        (
            lambda ctx: ctx.end_log(result={"loss": 1}),
            [
                ("end", "info", {"status": "completed", "result": {"loss": 1}}, None, None),
                ("finish",),
            ],
        ),
    ],
)
def test_everything_is_recorded_in_its_own_way(logger: Logger, report: Any, seen: Any) -> None:
    ctx = RuntimeContext(logger=logger, env={})

    report(ctx)

    assert ctx.job_id == "job-1"
    assert logger.seen == seen


def test_actions_have_no_method_there_and_are_entries(logger: Logger) -> None:
    with RuntimeContext(logger=logger, env={}) as ctx, ctx.action("train"):
        ctx.log_message("hello")

    states = [seen[2]["status"] for seen in logger.seen if seen[0] == "action"]
    assert states == [ActionStatus.RUNNING, ActionStatus.COMPLETED]
    assert logger.seen[-1] == ("finish",)


def test_a_message_goes_on_with_what_it_was_made_of(logger: Logger) -> None:
    ctx = RuntimeContext(logger=logger, env={})

    ctx.log_message({"en": "{n} files", "ko": "파일 {n}개"}, n=2)

    (data,) = [seen[2] for seen in logger.seen]
    assert type(data) is Said
    assert data == {"content": "2 files"}
    assert data.source == ({"en": "{n} files", "ko": "파일 {n}개"}, {"n": 2})


def test_levels_are_those_of_an_enum_which_the_sdk_asks_for() -> None:
    logger = Logger()
    logger.log = Mock(spec=logger.log)  # type: ignore[method-assign]

    SdkLogger(logger).log_message("x", "error")

    assert logger.log.call_args[0][0] is LogLevel.ERROR


def test_only_what_is_called_as_the_sdks_are_is_one(logger: Logger) -> None:
    assert isinstance(adapt(logger), SdkLogger)
    assert isinstance(adapt(Mock()), ForeignLogger)


class Finishing:
    """Has no `end_log`, and takes neither `x` nor a level."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def log(self, event: str, data: Any, file: str | None = None) -> None:
        self.seen.append((event, data, file))

    def set_metrics(self, value: Any, step: str | None = None) -> None:
        self.seen.append((value, step))

    def finish(self) -> None:
        self.seen.append("finish")


def test_what_a_method_has_no_parameter_for_costs_itself_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = Finishing()

    with RuntimeContext(logger=logger, env={}) as ctx:
        for x in range(2):
            ctx.set_metrics({"loss": 1}, "train", x=x)
        ctx.log("saved", {"at": 1}, level="warning")

    assert logger.seen == [({"loss": 1}, "train")] * 2 + [("saved", {"at": 1}, None), "finish"]
    assert [record.getMessage() for record in caplog.records] == [
        "job None: set_metrics of Finishing has no parameter x, so that is left out there",
        "job None: log of Finishing has no parameter level, so that is left out there",
    ]
