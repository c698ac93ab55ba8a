"""Own view: a package makes something else of the streams, with all that our views have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream, open_run
from synapse_stream.testing.views import given, message
from tests.support.packages import installed, put_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.commands import Said

VIEW = '''
from typing import NamedTuple

from synapse_stream import JobView


class Warned(NamedTuple):
    """A row of the view's table."""

    step: str | None
    text: str


class Warnings(JobView):
    """Counts warnings by step, and lists them."""

    name, version, row = "warnings-by-step", 1, Warned

    def begin(self):
        return {"steps": {}}

    def apply(self, delivery):
        for event in delivery.events:
            if event["type"] == "message" and event["level"] == "warning":
                steps, step = self.state["steps"], event.get("step")
                steps[step or "-"] = steps.get(step or "-", 0) + 1
                self.rows.append(Warned(step, event["content"]))
'''
NAMED = {"warnings-by-step": "my_views:Warnings"}


@pytest.fixture(autouse=True)
def package(deployment: None, tmp_path: Path) -> Iterator[None]:
    """Install a package with this module, and the entry point that names the view."""
    with installed(put_module(tmp_path / "site", "my_views", VIEW, NAMED)):
        yield


def test_a_view_is_asked_for_by_its_name(
    consume: Callable[[], None], command: Callable[..., Said]
) -> None:
    with open_run("job-42") as ctx:
        ctx.log_message("half of the data is missing", context="warning")
        ctx.log_message("the rest is odd", context="warning", step="load")
    consume()

    found = JobStream("job-42").view("warnings-by-step")

    assert found is not None
    assert found.state == {"steps": {"-": 1, "load": 1}}
    assert [*found.rows] == [
        {"step": None, "text": "half of the data is missing"},
        {"step": "load", "text": "the rest is odd"},
    ]
    said = command("show", "job-42", "--view", "warnings-by-step")
    assert "".join(said.out.split()).startswith('{"steps":{"-":1,"load":1}}STEPTEXTNone')


def test_it_is_also_had_as_it_was(consume: Callable[[], None]) -> None:
    with open_run("job-42") as ctx:
        ctx.log_message("first", context="warning")
        ctx.log_message("second", context="warning")
    first, _ = (one for one in JobStream("job-42").read() if one.event.type == "message")

    found = JobStream("job-42").view("warnings-by-step", first.position)

    assert found is not None
    assert found.state == {"steps": {"-": 1}}


def test_it_is_tested_without_a_server() -> None:
    from my_views import Warnings  # type: ignore[import-not-found]

    job = given(message("half of the data is missing", "warning"), message("fine"))
    job.says(message("the rest is odd", "warning", step="load"))

    seen = job.seen_by(Warnings)

    assert seen.state == {"steps": {"-": 1, "load": 1}}
    assert seen.rows[1] == ("load", "the rest is odd")
    assert seen.refused == []
