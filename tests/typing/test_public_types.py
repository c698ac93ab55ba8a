"""What a type checker makes of the public API: `make types` fails where a line here is wrong.

Nothing of it is called. The test sees to it that no public name is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, assert_type

import pytest
from pydantic import BaseModel

import synapse_stream
from synapse_stream import (
    ActionStatus,
    BaseAction,
    BaseLogger,
    ConfigError,
    ConsoleLogger,
    DecodeError,
    Delivery,
    JobStream,
    JobView,
    LogLevel,
    LogUnavailable,
    NullLogger,
    Pipeline,
    PluginEnvironment,
    Position,
    ProgressData,
    RecordedEvent,
    RunEnded,
    Runs,
    RunStatus,
    RuntimeContext,
    Settings,
    StreamLogger,
    SynapseStreamError,
    open_run,
    run_action,
)
from synapse_stream.ports.views import Attempt, Message, RunState, Series, ViewState
from synapse_stream.testing.views import given, message

if TYPE_CHECKING:
    from synapse_stream.testing import RecordedRun


class Params(BaseModel):
    epochs: int = 1


class Train(BaseAction[Params]):
    action_name = "train"
    params_model = Params

    def execute(self) -> float:
        assert_type(self.params, Params)
        assert_type(self.ctx, RuntimeContext)
        return 0.5


def report() -> None:
    with open_run("job", params={"epochs": 2}, labels={"team": "a"}, strict=True) as ctx:
        assert_type(ctx, RuntimeContext)
        assert_type(ctx.env, PluginEnvironment)
        assert_type(ctx.log_message("hello", context=LogLevel.INFO), None)
        assert_type(ctx.set_progress(1, 2, step="train"), None)
        assert_type(ctx.set_metrics({"loss": 0.5}, x=1), None)
        assert_type(ctx.flush(1.0), bool)
        for item in ctx.track([1, 2], step="train"):
            assert_type(item, int)
    assert_type(ctx.end_log(RunStatus.FAILED, error="why"), None)
    assert_type(run_action(Train, {"epochs": 1}), Any)
    assert_type(Pipeline([Train]).run({}), list[Any])


def read(job: JobStream, at: Position) -> None:
    assert_type(job.read(after=at), Iterator[RecordedEvent])
    assert_type(job.tail(), Iterator[RecordedEvent])
    for recorded in job.read():
        assert_type(recorded.position, Position)
        assert_type(recorded.producer, str)
    state = job.state(at=at)
    assert_type(state, RunState | None)
    if state:
        assert_type(state.latest, Attempt)
        assert_type(state.status, RunStatus)
    assert_type(job.metric("loss"), Series)
    assert_type(job.messages(levels=["danger"]), Iterator[Message])
    assert_type(Position.parse("1-0.0"), Position)
    assert_type(str(at), str)


class Told(NamedTuple):
    text: str


class Telling(JobView):
    name, version, row = "telling", 1, Told

    def begin(self) -> dict[str, Any]:
        return {}

    def apply(self, delivery: Delivery) -> None:
        for event in delivery.events:
            assert_type(event, dict[str, Any])
            self.rows.append(Told(event["type"]))


def view(job: JobStream, at: Position) -> None:
    assert_type(job.view("telling", at), ViewState | None)
    assert_type(given(message("hello")).seen_by(Telling).state, dict[str, Any])


def find() -> None:
    for state in Runs("status = failed"):
        assert_type(state, RunState)
    assert_type(Runs()[0], RunState)


def environment(env: PluginEnvironment) -> None:
    assert_type(env.get_int("epochs", 1), int)
    assert_type(env.get_bool("debug"), bool)
    assert_type(env.to_dict(), dict[str, Any])


def ask(run: RecordedRun) -> None:
    assert_type(run.ctx, RuntimeContext)
    assert_type(run.metrics("loss"), list[float])
    assert_type(run.messages("danger"), list[str])
    assert_type(run.progress("train"), list[ProgressData])
    assert_type(run.status, RunStatus)


def log() -> None:
    loggers: list[BaseLogger] = [StreamLogger("job"), ConsoleLogger(), NullLogger()]
    for logger in loggers:
        assert_type(RuntimeContext(logger=logger), RuntimeContext)
    assert_type(Settings().partitions, int)
    assert_type(RunStatus.FAILED.is_terminal, bool)
    assert_type(ActionStatus("failed"), ActionStatus)


ERRORS: list[type[SynapseStreamError]] = [ConfigError, DecodeError, LogUnavailable, RunEnded]


@pytest.mark.parametrize("name", sorted(set(synapse_stream.__all__) - {"__version__"}))
def test_every_public_name_is_read_by_the_type_checker(name: str) -> None:
    assert name in globals()
