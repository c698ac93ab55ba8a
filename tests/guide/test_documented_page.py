"""The documented Plugin Models page, example by example; only its import lines are changed."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, ValidationError

from synapse_stream import (
    ActionStatus,
    BaseAction,
    LogLevel,
    PluginEnvironment,
    ProgressData,
    RunEnded,
    RunStatus,
    RuntimeContext,
    run_action,
)
from tests.support.recording import Recorded, RecordingLogger

CHECKPOINT = {"category": "base", "path": "/models/base.pt"}


def train_epoch(batch_size: int, learning_rate: float) -> float:
    return learning_rate / batch_size


def get_memory_usage() -> int:
    return 123


class TrainParams(BaseModel):
    epochs: int = Field(default=50, ge=1, le=1000)
    batch_size: int = Field(default=8, ge=1, le=512)
    learning_rate: float = Field(default=0.001)


class TrainAction(BaseAction[TrainParams]):
    action_name = "train"
    params_model = TrainParams

    def execute(self):  # type: ignore[no-untyped-def]  # as documented
        self.ctx.log_message("Starting training...")

        # Load checkpoint if available
        if self.ctx.checkpoint:
            self.ctx.log(
                "checkpoint_loaded",
                {
                    "category": self.ctx.checkpoint["category"],
                    "path": self.ctx.checkpoint["path"],
                },
            )

        total_epochs = self.params.epochs
        for epoch in range(total_epochs):
            # Training logic
            loss = train_epoch(self.params.batch_size, self.params.learning_rate)

            # Update progress
            self.ctx.set_progress(epoch + 1, total_epochs, step="training")

            # Log metrics
            self.ctx.set_metrics(
                {
                    "epoch": epoch + 1,
                    "loss": loss,
                    "learning_rate": self.params.learning_rate,
                }
            )

            # Debug logging
            self.ctx.log_dev_event(
                "Epoch completed", {"epoch": epoch + 1, "memory_usage": get_memory_usage()}
            )

        self.ctx.log_message("Training completed!", context="success")
        self.ctx.end_log()

        return {
            "final_loss": loss,  # type: ignore[possibly-undefined]  # there is an epoch at least
            "epochs_trained": total_epochs,
        }


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def ctx(logger: RecordingLogger) -> RuntimeContext:
    return RuntimeContext(logger=logger)


def test_the_complete_example_reports_all_that_it_says(logger: RecordingLogger) -> None:
    ctx = RuntimeContext(logger=logger, checkpoint=CHECKPOINT)

    result = run_action(TrainAction, {"epochs": 2, "batch_size": 4}, ctx)

    assert result == {"final_loss": 0.00025, "epochs_trained": 2}
    assert logger.events[0] == Recorded(
        "message", None, {"content": "Starting training...", "level": "info"}
    )
    assert logger.of("log") == [{"event": "checkpoint_loaded", "data": CHECKPOINT, "level": "info"}]
    assert [event for event in logger.events if event.kind == "progress"] == [
        Recorded("progress", "training", {"current": 1, "total": 2}),
        Recorded("progress", "training", {"current": 2, "total": 2}),
    ]
    assert [fields["values"]["epoch"] for fields in logger.of("metrics")] == [1, 2]
    assert logger.of("dev_event")[1] == {
        "message": "Epoch completed",
        "data": {"epoch": 2, "memory_usage": 123},
    }
    assert logger.events[-2].fields == {"content": "Training completed!", "level": "success"}
    assert logger.of("end") == [{"status": "completed"}]


def test_the_defaults_of_the_example_are_used_without_params(logger: RecordingLogger) -> None:
    result = run_action(TrainAction, {}, RuntimeContext(logger=logger))

    assert result["epochs_trained"] == 50
    assert logger.kinds.count("log") == 0  # no checkpoint, so none was loaded


def test_params_beyond_their_bounds_are_refused_before_anything_is_reported(
    logger: RecordingLogger,
) -> None:
    with pytest.raises(ValidationError, match=r"epochs[\s\S]*less than or equal to 1000"):
        run_action(TrainAction, {"epochs": 1001}, RuntimeContext(logger=logger))

    assert logger.events == []


def test_a_context_has_the_documented_properties(logger: RecordingLogger) -> None:
    client, agent_client, env = object(), object(), PluginEnvironment({"storage_path": "/data"})

    ctx = RuntimeContext(
        logger=logger,
        env=env,
        job_id="job-7",
        client=client,
        agent_client=agent_client,
        checkpoint=CHECKPOINT,
    )

    assert ctx.logger is logger
    assert ctx.env is env
    assert ctx.job_id == "job-7"
    assert ctx.client is client
    assert ctx.agent_client is agent_client
    assert ctx.checkpoint == CHECKPOINT


def test_everything_but_the_logger_is_optional() -> None:
    ctx = RuntimeContext(logger=RecordingLogger(job_id=None))

    assert (ctx.job_id, ctx.client, ctx.agent_client, ctx.checkpoint) == (None, None, None, None)
    assert isinstance(ctx.env, PluginEnvironment)


def test_log_takes_an_event_its_data_and_a_file(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.log("checkpoint", {"epoch": 5, "loss": 0.25})
    ctx.log("prediction", {"class": "cat", "confidence": 0.95}, file="/data/img.jpg")

    assert logger.of("log") == [
        {"event": "checkpoint", "data": {"epoch": 5, "loss": 0.25}, "level": "info"},
        {
            "event": "prediction",
            "data": {"class": "cat", "confidence": 0.95},
            "level": "info",
            "file": "/data/img.jpg",
        },
    ]


def test_progress_has_phases_by_step_names(ctx: RuntimeContext, logger: RecordingLogger) -> None:
    ctx.set_progress(1, 100)
    ctx.set_progress(50, 100, step="preprocessing")
    ctx.set_progress(100, 100, step="training")

    assert logger.events == [
        Recorded("progress", None, {"current": 1, "total": 100}),
        Recorded("progress", "preprocessing", {"current": 50, "total": 100}),
        Recorded("progress", "training", {"current": 100, "total": 100}),
    ]


def test_metrics_may_name_their_step(ctx: RuntimeContext, logger: RecordingLogger) -> None:
    ctx.set_metrics({"accuracy": 0.95, "loss": 0.05, "learning_rate": 0.001})
    ctx.set_metrics({"mAP": 0.87}, step="validation")

    assert logger.events == [
        Recorded(
            "metrics", None, {"values": {"accuracy": 0.95, "loss": 0.05, "learning_rate": 0.001}}
        ),
        Recorded("metrics", "validation", {"values": {"mAP": 0.87}}),
    ]


def test_messages_have_four_contexts_of_which_info_is_the_default(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.log_message("Starting model training...")
    ctx.log_message("Starting model training...", context="info")
    ctx.log_message("GPU memory low, reducing batch size", context="warning")
    ctx.log_message("Training completed successfully!", context="success")
    ctx.log_message("Failed to load checkpoint", context="danger")

    levels = [fields["level"] for fields in logger.of("message")]
    assert levels == ["info", "info", "warning", "success", "danger"]
    logger.strict = True
    with pytest.raises(ValueError, match="loud"):
        ctx.log_message("What?", context="loud")


def test_dev_events_may_have_data(ctx: RuntimeContext, logger: RecordingLogger) -> None:
    ctx.log_dev_event("Variable state checkpoint", {"variable_x": 42})
    ctx.log_dev_event("Cache is cold")

    assert logger.of("dev_event") == [
        {"message": "Variable state checkpoint", "data": {"variable_x": 42}},
        {"message": "Cache is cold"},
    ]


def test_end_log_may_stand_in_a_finally_and_ends_once(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.end_log()
    ctx.end_log()

    assert logger.of("end") == [{"status": "completed"}]
    assert logger.times_closed == 1
    with pytest.raises(RunEnded, match="job-1"):
        ctx.set_progress(1, 2)


def test_the_environment_is_read_by_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_PATH", "/data")
    monkeypatch.delenv("DEBUG", raising=False)
    ctx = RuntimeContext(logger=RecordingLogger(), env={"api_url": "https://api"})
    from_process = RuntimeContext(logger=RecordingLogger())

    assert ctx.env.api_url == "https://api"
    assert from_process.env.storage_path == "/data"
    assert from_process.env.debug is False


def test_the_models_have_the_documented_members() -> None:
    progress = ProgressData(current=5, total=10, step="training")

    assert [LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR] == [
        "debug", "info", "warning", "error",
    ]  # fmt: skip
    assert [status.name for status in RunStatus] == [
        "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED",
    ]  # fmt: skip
    assert [status.name for status in ActionStatus] == [
        "PENDING", "RUNNING", "COMPLETED", "FAILED", "SKIPPED",
    ]  # fmt: skip
    assert (progress.current, progress.total, progress.step) == (5, 10, "training")
    assert ProgressData(5, 10).step is None
