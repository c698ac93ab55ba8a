"""What docs/sdk.md shows works as it stands there."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.sdk.test_drivers import ROOT, events, run

if TYPE_CHECKING:
    from synapse_stream import Settings

PAGE = (ROOT / "docs" / "sdk.md").read_text()
TEE, JOB_LOGGER, INSTALL, PIPELINE, SWAPPED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SETUP = """
from tests.sdk.plugin import TrainAction
from tests.sdk.test_members import Backend
client = Backend()
"""


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        (TEE, {"message", "progress", "metrics", "dev_event", "log"}),
        (JOB_LOGGER, {"progress"}),
        (INSTALL, {"message", "progress", "metrics", "dev_event", "log"}),
        (PIPELINE, {"message", "progress", "metrics", "dev_event", "log", "action"}),
    ],
    ids=["tee", "job logger", "install", "pipeline"],
)
def test_an_example_reports(settings: Settings, code: str, kinds: set[str]) -> None:
    done = run(settings, sys.executable, "-c", SETUP + code, SYNAPSE_STREAM_JOB_ID="job-42")

    assert done.returncode == 0, done.stderr
    found: list[Any] = events(settings, "job-42")
    assert {event.type for event in found} == {"run_started", "end", *kinds}
    assert found[-1].status == "completed"


def test_the_command_with_a_variable_reports(settings: Settings) -> None:
    (line,) = re.findall(r"^    (SYNAPSE_STREAM_ENABLE=1 .*)$", PAGE, re.MULTILINE)
    *assigned, python, dash, module = line.split()
    environ = dict(word.split("=") for word in assigned)
    entry = {
        "SYNAPSE_ACTION_ENTRYPOINT": "tests.sdk.plugin.TrainAction",
        "SYNAPSE_ACTION_PARAMS": "{}",
    }

    done = run(settings, sys.executable, dash, module, **environ, **entry)

    assert done.returncode == 0, done.stderr
    assert (python, events(settings, "job-42")[-1].type) == ("python", "end")
