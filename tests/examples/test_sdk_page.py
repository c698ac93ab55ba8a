"""The action of docs/sdk.md whose imports name us needs no SDK."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_stream import run_action

if TYPE_CHECKING:
    from synapse_stream.testing import RecordedRun

PAGE = (Path(__file__).parents[2] / "docs" / "sdk.md").read_text()
SWAPPED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[-1]


def test_the_action_reports_by_the_words_of_the_sdk(recorded_run: RecordedRun) -> None:
    names: dict[str, Any] = {"__name__": "my_plugin"}
    exec(compile(SWAPPED, "docs/sdk.md", "exec"), names)

    assert run_action(names["TrainAction"], {"epochs": 2}, recorded_run.ctx) == {"epochs": 2}
    assert recorded_run.metrics("loss") == [1.0, 0.5]
    assert recorded_run.messages("success") == ["2 epochs done"]
    assert recorded_run.progress("train")[-1] == (2, 2, "train")
    assert recorded_run.status == "completed"
