from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from synapse_stream.models import RunStatus
from synapse_stream.reporting.action import BaseAction
from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.reporting.pipeline import Pipeline
from tests.support.recording import RecordingLogger


class Size(BaseModel):
    size: int = 1


class Speed(BaseModel):
    speed: float = 0.5


class Prepare(BaseAction[Size]):
    action_name = "prepare"

    def execute(self) -> Any:
        self.ctx.log_message("preparing")
        self.ctx.end_log()  # as the documented example does
        return self.params.size


class Train(BaseAction[Speed]):
    action_name = "train"

    def execute(self) -> Any:
        self.ctx.log_message("training")
        return self.params.speed


class Export(BaseAction[Size]):
    action_name = "export"

    def execute(self) -> Any:
        return "exported"


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def ctx(logger: RecordingLogger) -> RuntimeContext:
    return RuntimeContext(logger, checkpoint={"category": "base", "path": "/x"})


def test_each_action_takes_its_params_and_gives_its_result(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    results = Pipeline([Prepare, Train]).run({"size": 7, "speed": 2.5}, ctx)

    assert results == [7, 2.5]
    assert logger.actions == [
        ("prepare", "pending"),
        ("train", "pending"),
        ("prepare", "running"),
        ("prepare", "completed"),
        ("train", "running"),
        ("train", "completed"),
    ]
    assert logger.of("end") == [{"status": "completed", "result": [7, 2.5]}]
    assert logger.kinds[-1] == "end"


def test_an_action_reports_between_its_running_and_its_end(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    Pipeline([Prepare, Train]).run({}, ctx)

    assert logger.kinds[2:] == [
        "action", "message", "action", "action", "message", "action", "end",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status"), [(OSError("no disk"), "failed"), (KeyboardInterrupt(), "cancelled")]
)
def test_behind_an_action_that_raises_the_rest_is_skipped(
    ctx: RuntimeContext, logger: RecordingLogger, error: BaseException, status: str
) -> None:
    class Failing(BaseAction[Size]):
        action_name = "failing"

        def execute(self) -> Any:
            raise error

    with pytest.raises(type(error)) as raised:
        Pipeline([Prepare, Failing, Train, Export]).run({}, ctx)

    assert raised.value is error
    assert logger.actions[4:] == [
        ("prepare", "running"),
        ("prepare", "completed"),
        ("failing", "running"),
        ("failing", "failed"),
        ("train", "skipped"),
        ("export", "skipped"),
    ]
    assert type(error).__name__ in logger.of("action")[7]["error"]
    assert logger.of("end")[0]["status"] == status


def test_an_action_that_says_it_failed_ends_the_pipeline_without_an_exception(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    class Particular(BaseAction[Size]):
        action_name = "particular"

        def execute(self) -> str:
            self.ctx.end_log(RunStatus.FAILED, "no data")
            self.ctx.end_log()
            return "partly"

    assert Pipeline([Particular, Train]).run({}, ctx) == ["partly"]

    assert logger.actions[2:] == [
        ("particular", "running"),
        ("particular", "failed"),
        ("train", "skipped"),
    ]
    assert logger.of("end") == [{"status": "failed", "error": "no data", "result": ["partly"]}]


def test_an_action_that_fails_after_its_end_log_has_failed(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    class Late(BaseAction[Size]):
        action_name = "late"

        def execute(self) -> Any:
            self.ctx.end_log()
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        Pipeline([Late]).run({}, ctx)

    assert logger.actions[-1] == ("late", "failed")
    assert logger.of("end")[0]["status"] == "failed"


def test_a_run_that_an_action_ended_by_its_logger_stays_ended(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    class Rude(BaseAction[Size]):
        action_name = "rude"

        def execute(self) -> int:
            self.ctx.logger.end_log("cancelled")
            return 1

    assert Pipeline([Rude, Export]).run({}, ctx) == [1, "exported"]

    assert logger.of("end") == [{"status": "cancelled"}]


def test_bad_params_of_any_action_start_nothing(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    with pytest.raises(ValidationError, match="speed"):
        Pipeline([Prepare, Train]).run({"speed": "fast"}, ctx)

    assert logger.events == []


def test_actions_see_the_whole_context(ctx: RuntimeContext) -> None:
    class Look(BaseAction[Size]):
        def execute(self) -> Any:
            return self.ctx.logger, self.ctx.env, self.ctx.job_id, self.ctx.checkpoint

    assert Pipeline([Look]).run({}, ctx) == [(ctx.logger, ctx.env, ctx.job_id, ctx.checkpoint)]


@pytest.mark.parametrize("actions", [[], [Train, Train]])
def test_a_pipeline_has_actions_of_different_names(actions: Any) -> None:
    with pytest.raises(ValueError, match="different names"):
        Pipeline(actions)
