"""Plugins written for the Synapse SDK, by one word changed in their imports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from synapse_stream.errors import RunEnded
from synapse_stream.plugins.action import BaseAction
from synapse_stream.plugins.context import PluginEnvironment, RuntimeContext
from synapse_stream.plugins.log_messages import LogMessageCode, register_log_messages
from synapse_stream.plugins.models import ActionStatus, RunStatus
from synapse_stream.plugins.models.logger import LogLevel, ProgressData
from synapse_stream.reporting.action import run_action
from synapse_stream.reporting.pipeline import Pipeline
from tests.support.recording import RecordingLogger
from tests.support.sdk_members import ACTION, CONTEXT, ENDS, LOGGER, NOTHING, Plugin, says

if TYPE_CHECKING:
    from tests.support.sdk_members import Member


class Code(LogMessageCode):
    DONE = ("DONE", LogLevel.SUCCESS)


register_log_messages({Code.DONE: {"en": "{n} files", "ko": "파일 {n}개"}})
LOCALIZED = SimpleNamespace(translations={"en": "{n} files", "ko": "파일 {n}개"})


class Params(BaseModel):
    epochs: int = 2


class Train(BaseAction[Params]):
    def execute(self) -> int:
        self.log_message("Training", LogLevel.INFO)
        self.logger.set_step("train")
        for epoch in range(self.params.epochs):
            self.log_metric("val", "epoch", epoch, loss=1.0)
        return self.params.epochs


class Around(Train):
    def run(self) -> Any:
        return {"epochs": self.execute()}


# What the SDK's driver hands to an action: told by where its class is from.
SdkContext: Any = type("RuntimeContext", (SimpleNamespace,), {"__module__": "synapse_sdk.context"})


def plugin_of(ctx: Any) -> tuple[Plugin, RecordingLogger]:
    action = Train(Params(), ctx)
    return Plugin(action.ctx, action, LogLevel, Code, LOCALIZED), ctx.logger


def drivers_context(logger: RecordingLogger) -> Any:
    return SdkContext(
        logger=logger, env=PluginEnvironment({"STORAGE": "s3"}), job_id="job-7", client="v1",
        v2_client="v2", agent_client=None, checkpoint=None, language="ko",
    )  # fmt: skip


def look_at(member: Member, ctx: Any) -> None:
    plugin, logger = plugin_of(ctx)

    answer = member.call(plugin)

    if member.kind == NOTHING:
        assert answer == member.fields["is"]
        return
    (*_, event) = [event for event in logger.events if event.kind == member.kind]
    assert says(SimpleNamespace(step=event.step, **event.fields), member.fields) == member.fields


@pytest.mark.parametrize("member", [*CONTEXT, *LOGGER, *ACTION], ids=lambda member: member.name)
def test_a_member_of_the_sdk_is_understood(member: Member) -> None:
    look_at(member, RuntimeContext(RecordingLogger(), {}))


@pytest.mark.parametrize("member", ENDS, ids=lambda member: member.name)
def test_where_a_driver_of_the_sdk_ends_the_run_end_log_is_a_message(member: Member) -> None:
    ctx = drivers_context(RecordingLogger())
    ctx.language = None
    look_at(member, ctx)


def test_a_drivers_context_is_ours_with_all_that_it_has() -> None:
    logger = RecordingLogger()
    ctx = Train(Params(), drivers_context(logger)).ctx

    assert isinstance(ctx, RuntimeContext)
    assert (ctx.job_id, ctx.client, ctx.client_v1) == ("job-7", "v1", "v1")
    assert (ctx.v2_client, ctx.client_v2, ctx.language) == ("v2", "v2", "ko")
    assert ctx.env.storage == "s3"
    ctx.log_message(Code.DONE, n=2)
    ctx.end_log("failed", "no data")
    assert [fields["content"] for fields in logger.of("message")] == [
        "파일 2개", "Plugin run is complete.",
    ]  # fmt: skip
    assert logger.of("log")[0]["data"] == {"status": "failed", "error": "no data", "result": None}


def test_dispatch_checks_parameters_and_runs_what_stands_around_the_action() -> None:
    logger = RecordingLogger()

    assert Around.dispatch({"epochs": 3}, RuntimeContext(logger, {})) == {"epochs": 3}
    assert run_action(Around, {"epochs": 1}, RuntimeContext(RecordingLogger(), {})) == {"epochs": 1}
    assert Pipeline([Around]).run(None, RuntimeContext(RecordingLogger(), {})) == [{"epochs": 2}]
    assert logger.kinds == ["message", "metrics", "metrics", "metrics"]


def test_where_we_end_the_run_end_log_ends_it() -> None:
    ctx = RuntimeContext(RecordingLogger(), {})

    ctx.end_log()
    with pytest.raises(RunEnded):
        ctx.log_message("late")


@pytest.mark.parametrize(
    ("given", "environ", "content"),
    [
        ({}, {}, "2 files"),
        ({}, {"SYNAPSE_LANGUAGE": "ko"}, "파일 2개"),
        ({"language": "en"}, {"SYNAPSE_LANGUAGE": "ko"}, "2 files"),
        ({"language": "ko"}, {}, "파일 2개"),
    ],
)
def test_messages_are_in_the_language_of_the_context(
    given: dict[str, Any], environ: dict[str, str], content: str
) -> None:
    logger = RecordingLogger()
    ctx = RuntimeContext(logger, environ, **given)

    for message in ({"en": "{n} files", "ko": "파일 {n}개"}, Code.DONE, LOCALIZED):
        ctx.log_message(message, n=2)  # type: ignore[arg-type]

    assert [fields["content"] for fields in logger.of("message")] == [content] * 3


def test_another_logger_can_be_put_into_a_context_for_a_while() -> None:
    first, second = RecordingLogger(), RecordingLogger()
    ctx = RuntimeContext(first, {})

    ctx.logger = second
    ctx.log_message("aside")
    ctx.logger = first

    assert (first.kinds, second.kinds) == ([], ["message"])


def test_a_step_that_was_set_holds_until_another_and_a_block_goes_before_it() -> None:
    logger = RecordingLogger()
    logger.set_step("train", order=1)
    logger.info("one")
    with logger.step("inner"):
        logger.info("two")
    logger.set_step(None)
    logger.info("three")

    assert [event.step for event in logger.events] == ["train", "inner", None]


def test_codes_of_messages_are_asked_for_only_where_an_action_has_some() -> None:
    with pytest.raises(NotImplementedError, match="Train"):
        Train.get_log_message_code_class()


def test_the_models_are_ours() -> None:
    assert (RunStatus.COMPLETED, ActionStatus.SKIPPED) == ("completed", "skipped")
    assert ProgressData(1, 2, "train").percent == 50
