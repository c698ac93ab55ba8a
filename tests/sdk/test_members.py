"""Each member of the SDK's logger, context and action: what it becomes, and what it still does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from synapse_sdk.i18n import LocalizedMessage
from synapse_sdk.loggers import BaseLogger, ConsoleLogger, JobLogger
from synapse_sdk.plugins.action import BaseAction
from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext
from synapse_sdk.plugins.log_messages import LogMessageCode, register_log_messages
from synapse_sdk.plugins.models.logger import LogLevel

from synapse_stream import JobStream
from synapse_stream.integrations.synapse_sdk import StreamLogger
from synapse_stream.testing import RecordedRun, record_run
from tests.support.sdk_members import (
    ACTION,
    CONTEXT,
    ENDS,
    LOGGER,
    NOTHING,
    ONLY_THE_SDKS,
    Plugin,
    says,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream import Settings
    from tests.support.sdk_members import Member

MEMBERS = (*CONTEXT, *LOGGER, *ACTION, *ENDS, *ONLY_THE_SDKS)
REPORTS = [member for member in MEMBERS if member.kind != "end"]


class Code(LogMessageCode):
    DONE = ("DONE", LogLevel.SUCCESS)


register_log_messages({Code.DONE: {"en": "{n} files", "ko": "파일 {n}개"}})


class Params(BaseModel): ...


class Action(BaseAction[Params]):
    def execute(self) -> None: ...


class Backend:
    """Keeps what a `JobLogger` sends."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []

    def create_logs(self, logs: list[dict[str, Any]]) -> None:
        self.logs += [{k: v for k, v in entry.items() if k != "datetime"} for entry in logs]

    def update_job(self, job_id: str, update: dict[str, Any]) -> None:
        self.updates.append(update)


class Bare(BaseLogger):
    """A logger of the plugin's own, with no more than it must have."""

    def _log_impl(self, *entry: Any) -> None:
        self.last = entry


@pytest.fixture
def run() -> Iterator[RecordedRun]:
    with record_run(strict=False) as found:
        yield found


def plugin_with(logger: Any) -> Plugin:
    ctx = RuntimeContext(logger=logger, env=PluginEnvironment(), job_id="job-42")
    localized = LocalizedMessage(en="{n} files", ko="파일 {n}개")
    return Plugin(ctx, Action(Params(), ctx), LogLevel, Code, localized)


@pytest.mark.parametrize("also", [None, "job", "console", "bare"])
@pytest.mark.parametrize("member", REPORTS, ids=lambda member: member.name)
def test_a_member_is_an_event_with_all_that_it_was_told(
    run: RecordedRun, member: Member, also: str | None
) -> None:
    others = {"job": JobLogger(Backend(), "job-42"), "console": ConsoleLogger(), "bare": Bare()}
    logger = StreamLogger(also=others.get(also), run=run.ctx) if also else StreamLogger(run=run.ctx)

    answer = member.call(plugin_with(logger))

    if member.kind == NOTHING:
        assert answer == member.fields["is"]
    else:
        (*_, event) = [found for found in run.events() if found.type == member.kind]
        assert says(event, member.fields) == member.fields


@pytest.mark.parametrize("member", ENDS[2:], ids=lambda member: member.name)
def test_the_driver_ends_the_run_by_finishing_the_logger(
    settings: Settings, member: Member
) -> None:
    member.call(plugin_with(StreamLogger("job-42", settings=settings)))

    (*_, recorded) = JobStream("job-42", settings=settings).read()
    assert says(recorded.event, {"type": "end", **member.fields}) == {
        "type": "end",
        **member.fields,
    }


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_the_backend_gets_what_it_always_got(run: RecordedRun, member: Member) -> None:
    alone, tee = Backend(), Backend()
    plain = JobLogger(alone, "job-42")
    both = StreamLogger(also=JobLogger(tee, "job-42"), run=run.ctx)

    for logger in (plain, both):
        member.call(plugin_with(logger))
        logger.finish()

    assert tee.logs == alone.logs
    assert [_without_times(update) for update in tee.updates] == [
        _without_times(update) for update in alone.updates
    ]


def _without_times(update: Any) -> Any:
    if not isinstance(update, dict):
        return update
    return {k: _without_times(v) for k, v in update.items() if k != "time_remaining"}


def test_every_value_of_a_metric_is_there_and_not_the_last_one(run: RecordedRun) -> None:
    logger = StreamLogger(also=JobLogger(Backend(), "job-42"), run=run.ctx)

    for i in range(1000):
        logger.set_metrics({"loss": i}, "train")
        logger.log_metric("val", "epoch", i, loss=-i)

    assert run.metrics("loss") == [sign * i for i in range(1000) for sign in (1, -1)]


def test_a_tee_is_what_stands_behind_it_and_hands_out_its_attributes(run: RecordedRun) -> None:
    job = JobLogger(Backend(), "job-42", step_proportions={"train": 100})
    tee = StreamLogger(also=job, run=run.ctx)

    assert isinstance(tee, JobLogger)
    assert isinstance(tee, StreamLogger)
    assert not isinstance(StreamLogger(also=ConsoleLogger(), run=run.ctx), JobLogger)
    assert tee._step_proportions == {"train": 100}
    tee.set_progress(1, 2, "train")
    assert tee.get_progress("train") == job.get_progress("train")
    assert tee.get_progress_record(time_elapsed=5) == job.get_progress_record(time_elapsed=5)


@pytest.mark.parametrize(
    "call",
    [
        lambda logger: logger.log("info", "event", {}),
        lambda logger: logger.log(LogLevel.INFO, "event", ["no mapping"]),
        lambda logger: logger.set_progress(3, 2),
        lambda logger: logger.set_progress(1, 0),
        lambda logger: logger.set_metrics({"loss": 1}),
        lambda logger: logger.set_metrics([1], "train"),
        lambda logger: logger.log_trials({"no": "trials"}),
        lambda logger: logger.log_message("hello", context="loud"),
        lambda logger: (logger.finish(), logger.log(LogLevel.INFO, "event", {})),
        lambda logger: (logger.finish(), logger.set_progress(1, 2)),
        lambda logger: (logger.finish(), logger.set_metrics({}, "train")),
    ],
)
def test_what_the_sdk_refuses_raises_as_it_always_did(run: RecordedRun, call: Any) -> None:
    loggers = (JobLogger(Backend(), "j"), StreamLogger(also=JobLogger(Backend(), "j"), run=run.ctx))
    raised = []
    for logger in loggers:
        with pytest.raises(Exception) as error:  # noqa: PT011 - whatever the SDK raises
            call(logger)
        raised.append((type(error.value), str(error.value)))

    assert raised[0] == raised[1]
