from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from synapse_stream import BaseAction, RunStatus, run_action
from synapse_stream.testing import RecordedRun, record_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytest_plugins = ["pytester"]


class Params(BaseModel):
    epochs: int = 2


class Train(BaseAction[Params]):
    def execute(self) -> dict[str, float]:
        for epoch in range(1, self.params.epochs + 1):
            self.ctx.set_progress(epoch, self.params.epochs, step="training")
            self.ctx.set_metrics({"loss": 1 / epoch, "epoch": epoch}, step="training")
        self.ctx.log_message("Done", context="success")
        return {"loss": 0.5}


def test_a_plugin_runs_for_real_and_everything_it_reported_can_be_asked_for(
    recorded_run: RecordedRun,
) -> None:
    result = run_action(Train, {"epochs": 2}, recorded_run.ctx)

    assert result == {"loss": 0.5}
    assert recorded_run.metrics("loss") == [1.0, 0.5]
    assert recorded_run.metrics("epoch") == [1, 2]
    assert recorded_run.progress() == [(1, 2, "training"), (2, 2, "training")]
    assert recorded_run.messages() == ["Done"]
    assert recorded_run.status == RunStatus.COMPLETED
    assert [event.seq for event in recorded_run.events()] == list(range(6))


def test_questions_can_be_narrowed(recorded_run: RecordedRun) -> None:
    recorded_run.ctx.log_message("calm")
    recorded_run.ctx.log_message("alarm", context="danger")
    recorded_run.ctx.set_progress(1, 2, step="a")
    recorded_run.ctx.set_progress_failed(step="a", error="broken")
    recorded_run.ctx.set_progress(1, 3, step="b")

    assert recorded_run.messages("danger") == ["alarm"]
    assert recorded_run.progress("b") == [(1, 3, "b")]
    assert recorded_run.progress("a") == [(1, 2, "a")]
    assert [event.type for event in recorded_run.events("message")] == ["message"] * 2
    assert recorded_run.metrics("loss") == []


def test_an_unknown_level_is_a_mistake_in_the_test(recorded_run: RecordedRun) -> None:
    recorded_run.ctx.log_message("calm")

    with pytest.raises(ValueError, match="dangerous"):
        recorded_run.messages("dangerous")


def test_a_run_goes_on_until_its_end_is_reported(recorded_run: RecordedRun) -> None:
    before = recorded_run.status
    with pytest.raises(LookupError), recorded_run.ctx:
        raise LookupError

    assert before == RunStatus.RUNNING
    assert recorded_run.status == RunStatus.FAILED


def test_numbers_that_json_lacks_come_back_as_they_were(recorded_run: RecordedRun) -> None:
    recorded_run.ctx.set_metrics({"loss": math.inf}, step="a")
    recorded_run.ctx.set_metrics({"loss": math.nan}, step="a")

    first, second = recorded_run.metrics("loss")

    assert first == math.inf
    assert math.isnan(second)


@pytest.mark.parametrize(
    "given",
    [
        {"env": {"storage_path": "/data"}},
        {"checkpoint": {"category": "base", "path": "model.pt"}},
        {"client": object()},
        {"agent_client": object()},
    ],
)
def test_outside_of_pytest_a_run_takes_what_a_context_takes(given: Mapping[str, Any]) -> None:
    with record_run("my-job", **given) as run:
        assert run.ctx.job_id == "my-job"
        ((name, value),) = given.items()
        held = getattr(run.ctx, name)

    assert (held.to_dict() if name == "env" else held) == value


def test_what_was_reported_can_be_asked_for_behind_the_block() -> None:
    with record_run() as run, run.ctx as ctx:
        ctx.log_message("hello")

    assert run.messages() == ["hello"]
    assert run.status == RunStatus.COMPLETED


def test_two_runs_know_nothing_of_each_other() -> None:
    with record_run() as first, record_run() as second:
        first.ctx.log_message("first")
        second.ctx.log_message("second")

        assert (first.messages(), second.messages()) == (["first"], ["second"])


def test_the_environment_of_the_machine_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", "redis://production:6379")
    monkeypatch.setenv("SYNAPSE_STREAM_SPOOL_DIR", str(tmp_path / "spool"))
    monkeypatch.setenv("SYNAPSE_STREAM_PARTITIONS", "wrong")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with record_run() as run:
        run.ctx.log_message("hello")
        assert run.messages() == ["hello"]

    assert list(tmp_path.iterdir()) == []


def test_a_test_that_fails_shows_what_was_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_wrong(recorded_run):
            recorded_run.ctx.log_message("it went wrong here")
            assert recorded_run.metrics("loss") == [1.0]

        def test_right(recorded_run):
            recorded_run.ctx.log_message("all is well")
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Reported to recorded_run*", "*it went wrong here*"])
    result.stdout.no_fnmatch_line("*all is well*")


def test_a_run_shows_its_latest_events_as_text(recorded_run: RecordedRun) -> None:
    empty = str(recorded_run)
    for number in range(50):
        recorded_run.ctx.log_message(f"message {number}")

    shown = str(recorded_run).splitlines()

    assert empty == "nothing was reported"
    assert shown[0] == "… 10 earlier events"
    assert "message 49" in shown[-1]
    assert len(shown) == 41


def test_the_plugin_costs_other_test_suites_next_to_nothing() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, pytest, synapse_stream.testing\n"
            "print([name for name in ('redis', 'fakeredis', 'pydantic', 'orjson')"
            " if name in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout == "[]\n"


def test_a_test_finds_wrong_values_unless_it_asks_not_to(recorded_run: RecordedRun) -> None:
    with pytest.raises(TypeError, match="val_loss"):
        recorded_run.ctx.set_metrics({"val_loss": None})
    with record_run(strict=False) as lenient:
        lenient.ctx.set_metrics({"val_loss": None, "loss": 0.5})

    assert lenient.metrics("loss") == [0.5]
    assert [event.rejected for event in lenient.events("dev_event")] == [1]
