"""`jobs --filter --sort`: what is found, in which order, and how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream import Runs
from tests.support.chains import Chain
from tests.support.events import ended, metrics, started
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said


@pytest.fixture
def sweep(log: EventLog, settings: Settings) -> None:
    """Have four runs: one a learning rate, of which one failed and one has no loss."""
    for number, (lr, loss) in enumerate([(0.1, 0.5), (0.2, 0.25), (0.3, 0.75), (0.4, None)]):
        told: list[Any] = [
            started(params={"lr": lr}, labels={"team": "<b>", "owner": "mina"}, at=0)
        ]
        told += [] if loss is None else [metrics({"val/loss": loss}), metrics({"val/loss": 1})]
        status = "failed" if number == 2 else "completed"
        told.append(ended(status, at=number * 60, error="E\x1b[31m" if number == 2 else None))
        log.append(Chain(f"run-{number}").add(*told))
        project(settings)


def ids(command: Callable[..., Said], *arguments: str) -> list[str]:
    return [found["job_id"] for found in command("jobs", "--json", *arguments).objects]


@pytest.mark.usefixtures("sweep")
def test_runs_are_found_by_what_they_have(command: Callable[..., Said]) -> None:
    loss = 'metrics."val/loss"'
    assert ids(command, "--filter", "params.lr > 0.15 AND status = completed") == ["run-3", "run-1"]
    assert ids(command, "--filter", f"{loss}.min < 0.6", "--sort", f"{loss}.min") == [
        "run-1",
        "run-0",
    ]
    assert ids(command, "--sort", f"{loss}.min") == ["run-1", "run-0", "run-2", "run-3"]
    assert ids(command, "--sort", "-duration", "--limit", "2") == ["run-3", "run-2"]
    assert ids(command, "--status", "completed", "--filter", "duration < 90s") == ["run-1", "run-0"]
    assert ids(command, "--search", "run-2", "--sort", "job") == ["run-2"]


@pytest.mark.usefixtures("sweep")
def test_what_is_named_has_a_column(command: Callable[..., Said]) -> None:
    said = command("jobs", "--sort", 'metrics."val/loss".min,params.lr', "--filter", "owner = mina")

    assert said.code == 0, said
    assert said.lines[0].split()[-3:] == ["owner", 'metrics."val/loss".min', "params.lr"]
    assert [line.split()[-2:] for line in said.lines[1:]] == [
        ["0.25", "0.2"],
        ["0.5", "0.1"],
        ["0.75", "0.3"],
        ["-", "0.4"],
    ]
    assert "\x1b" not in said.out


@pytest.mark.usefixtures("sweep")
def test_what_cannot_be_read_is_wrong_use_and_what_is_not_found_is_no(
    command: Callable[..., Said],
) -> None:
    for arguments in (
        ["--filter", "state = failed"],
        ["--sort", "loss"],
        ["--sort", "job", "--after", "x"],
    ):
        said = command("jobs", *arguments)
        assert (said.code, said.out) == (2, "")
    assert "no field 'state'" in command("jobs", "--filter", "state = failed").err
    said = command("jobs", "--filter", "params.lr > 9")
    assert said.code == 1
    assert "there are no such jobs" in said.err


@pytest.mark.usefixtures("sweep")
def test_a_script_finds_the_same(settings: Settings) -> None:
    runs = Runs("params.lr >= 0.2", sort="-params.lr", settings=settings)
    assert repr(runs) == "<Runs('params.lr >= 0.2', sort='-params.lr')>"

    assert [run.job_id for run in runs] == ["run-3", "run-2", "run-1"]
    assert (len(runs), runs[0].latest.params) == (3, {"lr": 0.4})
    assert repr(runs) == "<Runs('params.lr >= 0.2', sort='-params.lr'): 3 runs>"
    frame = runs.to_pandas()
    assert frame["params.lr"].tolist() == [0.4, 0.3, 0.2]
    assert str(frame["started"].dtype) == "datetime64[us, UTC]"
    assert frame["duration"].tolist() == [180, 120, 60]


@pytest.mark.usefixtures("sweep")
def test_a_notebook_shows_a_table_in_which_nothing_is_markup(settings: Settings) -> None:
    shown = Runs("labels.team = '<b>'", sort="job", settings=settings)._repr_html_()

    assert shown.count("<tr>") == 5
    assert "<b>&lt;Runs(" in shown
    assert "<td>&lt;b&gt;</td>" in shown
    assert "<td>2025-11-23 06:40:00</td>" in shown
    assert Runs("job = nobody", settings=settings).to_pandas().empty


def test_a_filter_is_read_before_anything_is_looked_for() -> None:
    with pytest.raises(ValueError, match="no field 'loss'"):
        Runs("loss < 1")


@pytest.mark.usefixtures("sweep")
def test_runs_are_shown_in_groups(command: Callable[..., Said]) -> None:
    said = command("jobs", "--group", "status", "--columns", "params.lr,labels.team")
    found = command("jobs", "--group", "fingerprint", "--json").objects

    assert [line.split() for line in said.lines] == [
        ["STATUS", "RUNS", "STATUS", "params.lr"],
        [*("completed", "3", "3", "completed", "0.1", "to", "0.4,", "mean"), "0.233333"],
        ["failed", "1", "1", "failed", "0.3", "to", "0.3,", "mean", "0.3"],
    ]
    assert [(one["value"], one["runs"]) for one in found] == [("E\x1b[#m", 1)]
    assert command("jobs", "--group", "labels.nothing").code == 1
    assert command("jobs", "--group", "nothing").code == 2
