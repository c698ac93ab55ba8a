"""The calls of other libraries without them: what they become, and what is said of the rest."""

from __future__ import annotations

import math
from argparse import Namespace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from synapse_stream import RuntimeContext, open_run
from synapse_stream.integrations import mlflow, wandb
from synapse_stream.integrations.current import Current
from synapse_stream.integrations.tensorboard import SummaryWriter
from synapse_stream.integrations.values import split
from tests.support.recording import RecordingLogger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingLogger]:
    """Return what the run that is open records."""
    logger = RecordingLogger()
    run = RuntimeContext(logger, {})
    monkeypatch.setattr("synapse_stream.integrations.current.newest_run", lambda: run)
    monkeypatch.setattr(mlflow._State, "current", Current())
    yield logger
    wandb.finish()


def points(kept: RecordingLogger) -> list[tuple[Any, dict[str, Any]]]:
    return [(event.get("x"), dict(event["values"])) for event in kept.of("metrics")]


def test_numbers_are_told_from_the_rest_by_names_within_names() -> None:
    given = {
        "a": {"b": np.float32(0.5), "c": {"d": 1, "text": "no"}},
        "nan": math.nan,
        "none": None,
        "many": [1, 2],
        "flag": True,
    }

    numbers, rest = split(given, ".")

    assert math.isnan(numbers.pop("nan"))  # type: ignore[attr-defined]
    assert numbers == {"a.b": 0.5, "a.c.d": 1, "flag": True}
    assert rest == {"a.c.text": "no", "none": None, "many": [1, 2]}
    plain = {"loss": 0.5, "step": 1}
    assert split(plain, "/")[0] is plain


def test_a_writer_of_tensorboard(kept: RecordingLogger, caplog: pytest.LogCaptureFixture) -> None:
    with SummaryWriter("runs", comment="x", run=RuntimeContext(kept, {})) as writer:
        writer.add_scalar("loss", np.float64(0.5), 3, walltime=0.0)
        writer.add_scalar("loss", 0.25)
        writer.add_scalars("both", {"a": 1, "b": 2}, global_step=4)
        writer.add_text("note", "text", 5)
        writer.add_hparams({"lr": 0.1}, {"best": 0.2})
        for _ in range(3):
            writer.add_histogram("weights", [1, 2])
        writer.flush()

    assert points(kept) == [
        (3, {"loss": 0.5}), (None, {"loss": 0.25}), (4, {"both/a": 1, "both/b": 2}),
        (None, {"best": 0.2}),
    ]  # fmt: skip
    assert [(event["event"], event["data"]) for event in kept.of("log")] == [
        ("text", {"tag": "note", "global_step": 5}),
        ("hparams", {"lr": 0.1}),
    ]
    assert caplog.text.count("SummaryWriter.add_histogram does nothing here") == 1
    with pytest.raises(AttributeError):
        writer.no_such_method()


def test_calls_of_mlflow(kept: RecordingLogger, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RuntimeContext, "__exit__", lambda *_: None)
        with mlflow.start_run(run_name="one", tags={"who": "me"}):
            mlflow.log_metric("loss", 0.5, step=1)
            mlflow.log_metrics({"a": 1, "b": math.inf}, step=2, timestamp=0)
            assert mlflow.log_param("lr", 0.1) == 0.1
            mlflow.log_params({"seed": 7})
            mlflow.set_experiment("digits")
            mlflow.log_artifact("model.pt", "models")
            assert not mlflow.log_figure(object(), "figure.png")
            mlflow.log_figure(object(), "figure.png")
            assert mlflow.active_run() is None
    mlflow.end_run()

    assert points(kept) == [(1, {"loss": 0.5}), (2, {"a": 1, "b": math.inf})]
    assert [(event["event"], event["data"], event.get("file")) for event in kept.of("log")] == [
        ("tags", {"run_name": "one", "who": "me"}, None),
        ("params", {"lr": 0.1}, None),
        ("params", {"seed": 7}, None),
        ("tags", {"experiment": "digits"}, None),
        ("artifact", {}, "model.pt"),
    ]
    assert caplog.text.count("mlflow.log_figure does nothing here") == 1


def test_mlflows_own_client_is_heard_by_its_runs(kept: RecordingLogger) -> None:
    def metric(key: str, value: float, step: int) -> SimpleNamespace:
        return SimpleNamespace(key=key, value=value, step=step)

    mlflow._State.run_ids.clear()
    rows = [metric("a", 1, 0), metric("b", 2, 0), metric("a", 3, 0), metric("a", 4, 1)]
    mlflow._batch("run-1", rows, params=[SimpleNamespace(key="lr", value="0.1")])
    mlflow._metric("run-2", "a", 5)
    mlflow._tag("run-1", "mlflow.user", "me")

    assert points(kept) == [(0, {"a": 1, "b": 2}), (0, {"a": 3}), (1, {"a": 4}), (0, {"a": 5})]
    assert [event.step for event in kept.events] == [None, None, None, None, "run-2"]


def test_rows_of_wandb_have_the_numbers_that_it_gives_them(kept: RecordingLogger) -> None:
    wandb.log({"a": 1})
    wandb.log({"a": 2, "in": {"side": 3}}, commit=False)
    wandb.log({"b": 4})
    wandb.log({"a": 5}, step=10)
    wandb.log({"a": 6}, step=10, commit=True)
    wandb.log({"a": 7})
    wandb.log({"note": "text", "list": [1]})

    assert points(kept) == [
        (0, {"a": 1}), (1, {"a": 2, "in.side": 3}), (1, {"b": 4}), (10, {"a": 5}), (10, {"a": 6}),
        (11, {"a": 7}),
    ]  # fmt: skip
    assert kept.of("log")[-1]["data"] == {"x": 12, "note": "text", "list": [1]}


def test_a_metric_of_wandb_may_be_the_axis_of_others(kept: RecordingLogger) -> None:
    wandb.define_metric("epoch")
    wandb.define_metric("val/*", step_metric="epoch")
    wandb.define_metric("exact", "epoch")
    wandb.log({"val/loss": 0.5, "epoch": 3, "other": 1})
    wandb.log({"exact": 0.25})

    assert points(kept) == [
        (3, {"val/loss": 0.5}),
        (0, {"epoch": 3, "other": 1}),
        (3, {"exact": 0.25}),
    ]


def test_config_summary_and_alerts_of_wandb(
    kept: RecordingLogger, caplog: pytest.LogCaptureFixture
) -> None:
    with wandb.init(project="p", config=Namespace(lr=0.1)) as run:
        assert wandb.run is run
        assert wandb.init(config={"seed": 7}) is run
        wandb.config.lr = 0.2
        wandb.config.update({"deep": {"er": 1}}, allow_val_change=True)
        wandb.config.setdefaults({"lr": 9, "new": 1})
        wandb.log({"loss": 0.5})
        run.summary["best"] = 1
        wandb.alert("Careful", "it burns", level="WARN")
        run.watch(object(), log="all")
        wandb.Image("x").anything.at(all="of it")
        wandb.save("model.pt")

    assert vars(wandb).get("run") is None
    assert run.config.as_dict() == {"lr": 0.2, "seed": 7, "deep": {"er": 1}, "new": 1}
    assert (run.config.lr, run.config["lr"], run.summary.loss) == (0.2, 0.2, 0.5)
    assert [event["data"] for event in kept.of("log")] == [
        {"lr": 0.1}, {"seed": 7}, {"lr": 0.2}, {"deep": {"er": 1}}, {"new": 1}, {"best": 1}, {},
    ]  # fmt: skip
    (message,) = kept.of("message")
    assert (message["content"], message["level"]) == ("Careful: it burns", "warning")
    assert "Run.watch does nothing here" in caplog.text
    assert "wandb.Image does nothing here" in caplog.text
    assert kept.kinds[-1] != "end"  # it was open before
    with pytest.raises(AttributeError):
        _ = run.config.nothing


@pytest.mark.parametrize(
    ("leave", "status"), [(0, "completed"), (1, "failed"), (None, "completed")]
)
def test_a_run_of_its_own_ends_as_wandb_says(
    monkeypatch: pytest.MonkeyPatch, leave: int | None, status: str
) -> None:
    opened: list[Any] = []

    def open_recorded(**given: Any) -> RuntimeContext:
        opened.append((given, RecordingLogger()))
        return RuntimeContext(opened[-1][1], {})

    monkeypatch.setattr("synapse_stream.integrations.current.open_run", open_recorded)
    wandb.init(project="p", id="w-1", tags=["a"], config={"lr": 0.1}, job_type="fit")
    wandb.log({"loss": 0.5})
    wandb.finish(leave)
    wandb.finish()

    ((given, logger),) = opened
    assert (given["job_id"], given["action"], given["params"]) == ("w-1", "fit", {"lr": 0.1})
    assert given["labels"] == {"project": "p", "job_type": "fit", "tags": ["a"]}
    (end,) = logger.of("end")
    assert (end["status"], end["result"]) == (status, {"loss": 0.5})
    assert open_run is not open_recorded
