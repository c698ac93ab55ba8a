from __future__ import annotations

from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel, ValidationError

from synapse_stream.models import RunStatus
from synapse_stream.reporting.action import BaseAction, run_action
from synapse_stream.reporting.context import RuntimeContext
from tests.support.recording import RecordingLogger

M = TypeVar("M", bound=BaseModel)


class Params(BaseModel):
    epochs: int = 2


class Train(BaseAction[Params]):
    action_name = "train"

    def execute(self) -> Any:
        self.ctx.set_progress(1, self.params.epochs)
        return {"epochs": self.params.epochs}


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def ctx(logger: RecordingLogger) -> RuntimeContext:
    return RuntimeContext(logger)


def test_the_params_model_is_the_type_in_the_brackets() -> None:
    class Through(BaseAction[M], Generic[M]):
        pass

    class Concrete(Through[Params]):
        def execute(self) -> None: ...

    class Explicit(BaseAction[Any]):
        params_model = Params

        def execute(self) -> None: ...

    class Inherited(Train):
        pass

    assert Train.params_model is Params
    assert Concrete.params_model is Params
    assert Explicit.params_model is Params
    assert Inherited.params_model is Params
    assert BaseAction.params_model is None


def test_an_action_is_named_after_its_class_unless_it_or_a_base_has_a_name() -> None:
    class Export(BaseAction[Params]):
        def execute(self) -> None: ...

    class BetterExport(Export):
        pass

    class BetterTrain(Train):
        pass

    assert Export.action_name == "Export"
    assert BetterExport.action_name == "BetterExport"
    assert BetterTrain.action_name == "train"


def test_an_action_without_execute_cannot_be_made(ctx: RuntimeContext) -> None:
    class Idle(BaseAction[Params]):
        pass

    with pytest.raises(TypeError, match="execute"):
        Idle(Params(), ctx)  # type: ignore[abstract]


@pytest.mark.parametrize("params", [{"epochs": 3}, Params(epochs=3), {"epochs": "3"}])
def test_params_may_be_a_mapping_or_the_model(
    ctx: RuntimeContext, logger: RecordingLogger, params: Any
) -> None:
    assert run_action(Train, params, ctx) == {"epochs": 3}

    assert logger.kinds == ["progress", "end"]
    assert logger.of("end") == [{"status": "completed", "result": {"epochs": 3}}]


def test_without_params_the_defaults_hold(ctx: RuntimeContext) -> None:
    assert run_action(Train, ctx=ctx) == {"epochs": 2}


def test_bad_params_start_nothing(ctx: RuntimeContext, logger: RecordingLogger) -> None:
    with pytest.raises(ValidationError, match="epochs"):
        run_action(Train, {"epochs": "many"}, ctx)

    assert logger.events == []


def test_an_action_without_a_model_gets_its_params_as_they_are(ctx: RuntimeContext) -> None:
    class Echo(BaseAction[Any]):
        def execute(self) -> Any:
            return self.params

    assert run_action(Echo, [1, "two"], ctx) == [1, "two"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("no data"), "failed"), (KeyboardInterrupt(), "cancelled")],
)
def test_an_exception_of_the_action_ends_the_run_and_goes_on(
    ctx: RuntimeContext, logger: RecordingLogger, error: BaseException, status: str
) -> None:
    class Failing(BaseAction[Params]):
        def execute(self) -> Any:
            raise error

    with pytest.raises(type(error)) as raised:
        run_action(Failing, {}, ctx)

    assert raised.value is error
    assert logger.of("end")[0]["status"] == status


def test_an_end_by_the_action_itself_stands(ctx: RuntimeContext, logger: RecordingLogger) -> None:
    class Particular(BaseAction[Params]):
        def execute(self) -> str:
            self.ctx.end_log(RunStatus.FAILED, "nothing to do")
            return "result"

    assert run_action(Particular, {}, ctx) == "result"

    assert logger.of("end") == [{"status": "failed", "error": "nothing to do"}]
