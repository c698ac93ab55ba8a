"""What docs/bridges.md shows works as it stands there; frameworks are in `make integrations`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from synapse_stream import JobStream
from tests.support.commands import environment

__all__ = ["environment"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bridges.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NEEDS = ("transformers", "lightning", "keras")
HERE = [code for code in EXAMPLES if not any(f"integrations.{name}" in code for name in NEEDS)]


def test_the_examples_report(environment: dict[str, str]) -> None:
    """In one process, one after the other."""
    code = "\n".join(HERE)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "SYNAPSE_STREAM_JOB_ID": "job-41"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    first: list[Any] = [recorded.event for recorded in JobStream("job-41").read()]
    printed: list[Any] = [recorded.event for recorded in JobStream("job-42").read()]
    assert [event.event for event in first if event.type == "log"] == ["no GPU", "params", "config"]
    assert first[1].data["extra"] == {"device": "cpu"}
    metrics = [
        (event.x, event.values) for event in first if event.type == "metrics" and event.step is None
    ]
    assert metrics == [
        (1, {"loss": 0.5}), (1, {"loss": 0.5}), (0, {"loss": 0.5}),
        (1, {"val/loss": 0.6, "epoch": 1}),
    ]  # fmt: skip
    bars = [event for event in first if event.type == "progress"]
    assert (bars[-1].step, bars[-1].current, bars[-1].total) == ("training", 50, 50)
    assert [event.event for event in printed if event.type == "log"] == ["what is printed"]
