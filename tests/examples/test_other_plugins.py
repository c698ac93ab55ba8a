"""The small plugins of the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from examples.failing_import import ImportRows
from examples.slow_export import ExportTiles, render
from synapse_stream import RunStatus, run_action

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.testing import RecordedRun


def test_an_import_fails_at_the_row_that_it_cannot_take(recorded_run: RecordedRun) -> None:
    with pytest.raises(ValueError, match="row 20 of sensor B holds '#REF!'"):
        run_action(ImportRows, {"rows": 40, "broken": 20, "pause": 0}, recorded_run.ctx)

    assert recorded_run.status == RunStatus.FAILED
    assert len(recorded_run.metrics("celsius")) == 19
    assert len(recorded_run.messages("danger")) == 1
    assert recorded_run.events("progress")[-1].failed


def test_an_import_of_good_rows_completes(recorded_run: RecordedRun) -> None:
    result = run_action(ImportRows, {"broken": None, "pause": 0}, recorded_run.ctx)

    assert recorded_run.status == RunStatus.COMPLETED
    assert result["mean"] == pytest.approx(21, abs=0.2)
    assert recorded_run.metrics("mean")[-1] == result["mean"]
    assert recorded_run.messages("warning")


def test_an_export_writes_and_reports_every_tile(recorded_run: RecordedRun, tmp_path: Path) -> None:
    params = {"rows": 3, "pause": 0, "output_dir": tmp_path}

    result = run_action(ExportTiles, params, recorded_run.ctx)

    files = list(tmp_path.rglob("*.pgm"))
    assert len(files) == len(recorded_run.metrics("inside")) == 9
    assert sum(file.stat().st_size for file in files) == result["bytes"]
    assert recorded_run.progress("export")[-1].percent == 100


def test_the_middle_of_the_set_is_inside_and_its_corner_outside() -> None:
    assert set(render(1, 2, 4)) & {60} == {60}
    assert 60 not in render(0, 0, 4)
