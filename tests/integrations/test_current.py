"""Which run a bridge reports to, and that it is never trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream, RuntimeContext, open_run
from synapse_stream.integrations.current import Current
from tests.support.commands import environment
from tests.support.recording import BrokenLogger, RecordingLogger

if TYPE_CHECKING:
    from synapse_stream.settings import Settings

__all__ = ["environment"]


def types_of(job_id: str) -> list[str]:
    return [recorded.event.type for recorded in JobStream(job_id).read()]


@pytest.mark.usefixtures("environment")
def test_it_is_the_newest_that_is_open_then_the_next_then_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    current = Current()
    with open_run("older"), open_run("newer"):
        current.tell("log_message", "in the newer one")
    with open_run("next"):
        current.tell("log_message", "in the next one")
        assert current.opened is None
    monkeypatch.setenv("SYNAPSE_STREAM_JOB_ID", "own")
    other = Current(action="fit", params={"lr": 0.1})
    other.tell("log_message", "in its own")
    other.end()

    assert types_of("older") == ["run_started", "end"]
    for job_id in ("newer", "next", "own"):
        assert types_of(job_id) == ["run_started", "message", "end"]


def test_without_any_it_is_said_and_goes_on(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    current = Current(job_id="no job {}", settings=settings)
    for _ in range(2):
        current.tell("set_metrics", {"loss": 1.0})

    assert caplog.text.count("no run can be opened") == 1


def test_trouble_is_said_once_and_never_raised(caplog: pytest.LogCaptureFixture) -> None:
    current = Current(RuntimeContext(BrokenLogger(), {}))
    for _ in range(2):
        current.tell("set_metrics", {"loss": 1.0})
        current.tell("log", "event", "no mapping")

    assert caplog.text.count("its reports are lost") == 1


def test_one_that_was_given_is_never_left(caplog: pytest.LogCaptureFixture) -> None:
    kept = RecordingLogger()
    current = Current(RuntimeContext(kept, {}))
    current.end()
    current.tell("log_message", "there")
    kept.end_log()
    current.tell("log_message", "late")

    assert kept.kinds == ["message", "end"]
    assert "log_message and what follows it is not in the stream" in caplog.text
