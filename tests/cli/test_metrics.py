from __future__ import annotations

import csv
import io
from math import inf, sin
from typing import TYPE_CHECKING, Any

import pytest

from consumers.views.metric_history import known
from synapse_stream import JobStream
from synapse_stream.cli.shared.sparkline import extremes, plot, sparkline
from synapse_stream.ports.views import Bucket
from tests.support.chains import Chain
from tests.support.events import metrics, started
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

STARTED = started()


def point(x: float | None = None, step: str | None = "fit", **values: Any) -> dict[str, Any]:
    event = metrics(values, step=step)
    return event if x is None else {**event, "x": x}


@pytest.fixture
def recorded(log: EventLog, settings: Settings) -> None:
    """Have a job with two series, one with a gap."""
    chain = Chain("job-1")
    losses: list[Any] = [4, 2, "NaN", 1]
    log.append(chain.add(STARTED, *(point(x, loss=loss) for x, loss in enumerate(losses))))
    log.append(chain.add(point(step=None, **{"l\x1b[31mr": 0.5})))
    project(settings)


@pytest.mark.usefixtures("recorded")
def test_every_series_is_a_line_with_its_course(command: Callable[..., Said]) -> None:
    said = command("metrics", "job-1")

    assert said.code == 0, said
    rows = [" ".join(line.split()) for line in said.lines]
    assert rows == [
        "METRIC STEP RANK ATTEMPT POINTS MIN MAX LAST COURSE",
        "lr - 0 1 1 0.5 0.5 0.5 ▁",
        "loss fit 0 1 4 1 4 1 █▃ ▁ (1 not finite)",
    ]
    assert "\x1b" not in said.out


def test_metrics_beyond_those_that_are_shown_are_told(
    command: Callable[..., Said],
    log: EventLog,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "MOST_METRICS", 2)
    log.append(Chain("job-1").add(STARTED, point(a=1, b=1, c=1, d=1), point(b=2, c=2)))
    project(settings)
    told = "at most 2 metrics are shown: values of further ones are recorded only (3)"

    assert command("metrics", "job-1").lines[-1] == told
    assert f"note       {told}" in command("show", "job-1").lines
    (shown,) = command("show", "job-1", "--json").objects
    assert shown["notes"] == [told]
    state = JobStream("job-1", settings).state()
    assert state is not None
    assert [(one.used, one.left_out) for one in state.quotas] == [(2, 3)]


@pytest.mark.usefixtures("recorded")
def test_one_metric_can_be_asked_for(command: Callable[..., Said]) -> None:
    assert [
        found["name"] for found in command("metrics", "job-1", "--name", "loss", "--json").objects
    ] == ["loss"]
    said = command("metrics", "job-1", "--name", "los")
    assert (said.code, said.out) == (1, "")
    assert said.err == "synapse-stream: job 'job-1' has no metric 'los'; it has lr, loss\n"


def test_a_job_without_metrics_is_a_no(command: Callable[..., Said]) -> None:
    said = command("metrics", "job-9", "--name", "loss")

    assert said == (1, "", "synapse-stream: job 'job-9' has no metrics\n")


@pytest.mark.usefixtures("recorded")
def test_as_json_a_series_is_one_object(command: Callable[..., Said]) -> None:
    (found,) = command("metrics", "job-1", "--name", "loss", "--json").objects

    assert found == {
        "attempt": 1,
        "rank": 0,
        "step": "fit",
        "name": "loss",
        "count": 4,
        "minimum": 1,
        "maximum": 4,
        "last": 1,
        "has_x": True,
        "non_finite": 1,
    }


@pytest.mark.usefixtures("recorded")
def test_as_csv_every_point_is_a_line(command: Callable[..., Said]) -> None:
    said = command("metrics", "job-1", "--csv")

    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert said.code == 0
    assert [row["value"] for row in rows] == ["0.5", "4.0", "2.0", "NaN", "1.0"]
    assert [row["x"] for row in rows] == ["", "0.0", "1.0", "2.0", "3.0"]
    assert [row["name"] for row in rows] == ["lr", *["loss"] * 4]
    assert rows[1]["time"] == "2025-11-23T06:40:00.000001Z"
    assert rows[1]["position"].endswith(".1")
    assert (rows[0]["step"], rows[1]["step"], rows[1]["rank"]) == ("", "fit", "0")


def test_a_plot_shows_one_point_among_very_many_that_stands_out(
    command: Callable[..., Said], log: EventLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain("job-1")
    values = [sin(n / 300) for n in range(9_000)]
    values[4_321] = -50
    for start in range(0, 9_000, 1_000):
        log.append(chain.add(*(point(loss=value) for value in values[start : start + 1_000])))
    project(settings)
    monkeypatch.setenv("COLUMNS", "73")

    said = command("metrics", "job-1", "--plot")

    title, *lines = said.lines
    assert said.code == 0
    assert title.startswith("loss of fit (rank 0, attempt 1): 9000 points, last ")
    assert lines[0].split()[0] == "1"
    assert lines[7].split()[0] == "-50"
    drawn = lines[7].removeprefix("         -50 ")
    assert len(drawn) == 60
    assert drawn.index("▁") == 4_321 * 60 // 9_000
    assert drawn.count("▁") == 1


def test_only_one_form_can_be_asked_for(command: Callable[..., Said]) -> None:
    said = command("metrics", "job-1", "--csv", "--json")

    assert (said.code, said.out) == (2, "")
    assert "--plot, --csv and --json" in said.err


def bucket(minimum: float | None, maximum: float | None) -> Bucket:
    return Bucket(0, 0, 1, minimum, maximum, 0.0, 0, 0, 0)


def test_a_sparkline_goes_from_the_lowest_to_the_highest_with_gaps() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, None, 1]) == "▁ ▁"
    assert sparkline([None]) == " "
    assert sparkline([]) == ""


def test_a_sparkline_of_the_largest_numbers_there_are_is_drawn() -> None:
    assert sparkline([-1.7e308, 0, 1.7e308]) == "▁▅█"
    assert sparkline([5e-324, 0]) in {"█▁", "▁▁"}
    assert inf not in extremes([bucket(-1.7e308, 1.7e308)])


def test_of_a_bucket_the_extreme_is_drawn_that_stands_out() -> None:
    usual = [bucket(1, 2)] * 5

    assert extremes([*usual, bucket(1, 9)])[-1] == 9
    assert extremes([*usual, bucket(-9, 2)])[-1] == -9
    assert extremes([bucket(None, None)]) == [None]


def test_a_plot_has_as_many_lines_as_asked_for_and_fills_up_to_the_value() -> None:
    assert plot([0, 15, 8], 2) == [" █▁", "▁██"]


def test_of_very_many_series_the_numbers_only(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    names = {f"m{number:04d}": 1.0 for number in range(1_001)}
    log.append(Chain("job-1").add(STARTED, metrics(names), metrics(names)))
    project(settings)

    every, one = command("metrics", "job-1"), command("metrics", "job-1", "--name", "m0000")

    assert len(every.lines) == 1 + len(names)
    assert every.lines[-1].split() == ["m1000", "-", "0", "1", "2", "1", "1", "1"]
    assert "1,001 series: courses are drawn of 1,000 at most; choose by --name" in every.err
    assert one.lines[-1].endswith("▁▁")
