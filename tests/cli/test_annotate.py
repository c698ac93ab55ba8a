"""`annotate`: what is said of a run, that lists follow it, and that the trail tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.chains import Chain
from tests.support.events import started
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said


@pytest.fixture
def run(log: EventLog, settings: Settings) -> str:
    """Have a run that has reported."""
    log.append(Chain("job-1").add(started(labels={"team": "a"})))
    project(settings)
    return "job-1"


def test_a_run_is_annotated_hidden_and_shown_again(command: Callable[..., Said], run: str) -> None:
    said = command("annotate", run, "--label", "team=b", "--note", "kept", "--archive")

    assert said.code == 0, said
    assert [line.split() for line in said.lines] == [
        ["job", run],
        ["labels", "team=b"],
        ["note", "kept"],
        ["archived", "yes"],
        ["baseline", "no"],
    ]
    assert command("jobs").code == 1
    (found,) = command("jobs", "--json", "--filter", "archived = true AND labels.team = b").objects
    assert found["job_id"] == run
    (shown,) = command("annotate", run, "--unarchive", "--json").objects
    assert shown == {"labels": {"team": "b"}, "note": "kept", "archived": False, "baseline": False}
    assert command("jobs").code == 0
    assert "annotate" in command("trail").out


def test_what_is_not_known_or_names_no_label_is_said(
    command: Callable[..., Said], run: str
) -> None:
    assert command("annotate", "nobody", "--note", "x").code == 1
    assert command("annotate", run, "--label", "=x").code == 2
