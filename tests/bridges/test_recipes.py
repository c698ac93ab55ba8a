"""What docs/guide/recipes.md shows of libraries works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from synapse_stream import JobStream
from tests.bridges.test_scripts import ROOT, environment

__all__ = ["environment"]

PAGE = (ROOT / "docs" / "guide" / "recipes.md").read_text()
RECIPES = re.findall(r"<!-- needs \w+ -->\n```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", RECIPES)
def test_a_recipe_reports(environment: dict[str, str], code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        cwd=environment["SYNAPSE_STREAM_DATA_DIR"],
    )

    assert done.returncode == 0, done.stderr
    (job,) = re.findall(r'open_run\("([^"]+)"', code)
    found: list[Any] = [recorded.event for recorded in JobStream(job).read()]
    assert sum(event.type == "metrics" for event in found) == 5
    assert found[-1].status == "completed"
