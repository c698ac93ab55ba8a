from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits

from examples.train_digits.plugin import TrainDigits, nudge
from synapse_stream import RunStatus, run_action

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.testing import RecordedRun


@pytest.fixture
def small(tmp_path: Path) -> dict[str, object]:
    """Parameters of a training that takes a second."""
    return {"epochs": 6, "features": 60, "images": 400, "patience": 1, "output_dir": tmp_path}


def test_a_training_reports_all_that_its_readers_need(
    recorded_run: RecordedRun, small: dict[str, object]
) -> None:
    result = run_action(TrainDigits, small, recorded_run.ctx)

    assert recorded_run.status == RunStatus.COMPLETED
    for name in ("loss", "accuracy", "learning_rate", "val_loss", "val_accuracy"):
        assert len(recorded_run.metrics(name)) == 6
    assert recorded_run.metrics("loss")[-1] < recorded_run.metrics("loss")[0]
    assert result["val_accuracy"] in recorded_run.metrics("val_accuracy")
    assert result["val_accuracy"] > 0.7
    assert [event.x for event in recorded_run.events("metrics")] == [
        *(n for n in range(1, 7) for _ in "12")
    ]
    assert len(recorded_run.events("dev_event")) == 7


def test_progress_of_every_step_runs_to_its_end(
    recorded_run: RecordedRun, small: dict[str, object]
) -> None:
    run_action(TrainDigits, small, recorded_run.ctx)

    for step in ("load", "training", "validation"):
        reported = recorded_run.progress(step)
        assert [progress.current for progress in reported] == list(range(len(reported)))
        assert reported[-1].percent == 100


def test_the_checkpoint_file_reads_digits(
    recorded_run: RecordedRun, small: dict[str, object]
) -> None:
    result = run_action(TrainDigits, small, recorded_run.ctx)

    digits = load_digits()
    predicted = joblib.load(result["model"]).predict(digits.data / 16)
    checkpoints = [event for event in recorded_run.events("log") if event.event == "checkpoint"]
    assert (predicted == digits.target).mean() > 0.7
    assert {event.file for event in checkpoints} == {result["model"]}


def test_a_standstill_is_a_warning_that_halves_the_learning_rate(
    recorded_run: RecordedRun, small: dict[str, object]
) -> None:
    run_action(TrainDigits, {**small, "learning_rate": 300}, recorded_run.ctx)

    warnings = recorded_run.messages("warning")
    rates = recorded_run.metrics("learning_rate")
    assert warnings
    assert [float(warning.split()[-1]) for warning in warnings] == [
        300 / 2**number for number in range(1, len(warnings) + 1)
    ]
    assert set(rates) <= {300 / 2**number for number in range(len(warnings) + 1)}


@pytest.mark.parametrize(("tolerated", "alarms"), [(0, 1), (1000, 0)])
def test_more_misread_digits_than_tolerated_are_an_alarm(
    recorded_run: RecordedRun, small: dict[str, object], tolerated: int, alarms: int
) -> None:
    run_action(TrainDigits, {**small, "tolerated_errors": tolerated}, recorded_run.ctx)

    assert len(recorded_run.messages("danger")) == alarms
    assert len(recorded_run.messages("success")) == 1


def test_a_nudged_image_is_moved_by_one_pixel_each_way() -> None:
    image = np.zeros((8, 8))
    image[3, 4] = 1

    moved = nudge(image.reshape(1, 64)).reshape(-1, 8, 8)

    places = {(int(row), int(column)) for _, row, column in np.argwhere(moved)}
    assert places == {(3, 4), (2, 4), (4, 4), (3, 3), (3, 5)}
