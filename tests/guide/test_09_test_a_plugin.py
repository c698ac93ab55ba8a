"""Test a plugin: run it for real, without a server, and ask what it reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from synapse_stream import BaseAction, run_action

if TYPE_CHECKING:
    from synapse_stream.testing import RecordedRun


class TrainParams(BaseModel):
    epochs: int = 2


class Train(BaseAction[TrainParams]):
    action_name = "train"
    params_model = TrainParams

    def execute(self) -> float:
        for epoch in self.ctx.track(range(1, self.params.epochs + 1), step="training"):
            self.ctx.set_metrics({"loss": 1 / epoch}, step="training")
        self.ctx.log_message("done", context="success")
        return 1 / self.params.epochs


def test_the_action_reports_its_loss(recorded_run: RecordedRun) -> None:
    assert run_action(Train, {"epochs": 2}, recorded_run.ctx) == 0.5

    assert recorded_run.metrics("loss") == [1.0, 0.5]
    assert recorded_run.progress("training")[-1] == (2, 2, "training")
    assert recorded_run.messages("success") == ["done"]
    assert recorded_run.status == "completed"


def test_wrong_parameters_are_said_before_anything_runs(recorded_run: RecordedRun) -> None:
    with pytest.raises(ValueError, match="epochs"):
        run_action(Train, {"epochs": "many"}, recorded_run.ctx)

    assert recorded_run.metrics("loss") == []
