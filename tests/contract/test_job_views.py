"""`JobStream.state`, `metric`, `metrics` and `messages`: what a notebook reads."""

from __future__ import annotations

import sys
from math import inf, isnan
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from synapse_stream.errors import ConfigError
from synapse_stream.models import RunStatus
from synapse_stream.ports.views import Health
from synapse_stream.reading.stream import JobStream
from tests.support.chains import Chain
from tests.support.events import ended, message, metrics, started
from tests.support.projecting import project

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings

STARTED = started()
TIME = 1_763_880_000_000_000


def point(step: str | None = "train", x: float | None = None, **values: Any) -> dict[str, Any]:
    event = metrics(values, step=step)
    return event if x is None else {**event, "x": x}


@pytest.fixture
def job(settings: Settings) -> JobStream:
    return JobStream("job-1", settings)


def append(log: EventLog, *events: dict[str, Any], producer: str = "p0") -> None:
    log.append(Chain("job-1", producer).add(*events))


def test_the_state_is_that_of_the_view_and_its_health_goes_by_the_servers_clock(
    log: EventLog, settings: Settings, job: JobStream
) -> None:
    append(log, STARTED, {"type": "progress", "current": 1, "total": 4})
    project(settings)

    state = job.state()

    assert state is not None
    assert (state.status, state.latest.overall_percent) == (RunStatus.RUNNING, 25)
    assert state.position == [found.position for found in job.read()][-1]
    assert state.health(job.now_ms()) is Health.ALIVE
    assert state.health(job.now_ms() + 40_000) is Health.SILENT


def test_it_is_shown_briefly_at_a_prompt_and_as_a_table_in_a_notebook(
    log: EventLog, settings: Settings, job: JobStream
) -> None:
    assert repr(job) == "JobStream('job-1')"
    assert "nothing is known of it yet" in job._repr_html_()
    append(log, {**STARTED, "action": "<script>"}, ended("failed", error="E <b>\nTraceback"))
    project(settings)

    shown = job._repr_html_()

    assert "<b>JobStream(&#x27;job-1&#x27;)</b>" in shown
    assert "<td>failed</td>" in shown
    assert "<td>&lt;script&gt;</td>" in shown
    assert "<td>E &lt;b&gt;</td>" in shown
    away = settings.model_copy(update={"store_url": "postgresql://127.0.0.1:1/none"})
    assert "<p><b>JobStream" in JobStream("job-1", away)._repr_html_()


def test_of_a_job_that_nobody_reported_to_there_is_nothing(job: JobStream) -> None:
    assert job.state() is None
    assert list(job.messages()) == []
    assert len(job.metrics()) == 0
    with pytest.raises(LookupError, match="'job-1' has no metric 'loss'; it has none"):
        job.metric("loss")


def test_a_metric_becomes_a_numpy_array(log: EventLog, settings: Settings, job: JobStream) -> None:
    append(log, STARTED, point(x=1, loss=0.5), point(x=2, loss="NaN"), point(x=3, loss="Infinity"))
    project(settings)

    points = job.metric("loss").to_numpy()

    assert points["x"].tolist() == [1, 2, 3]
    assert points["value"][0] == 0.5
    assert isnan(points["value"][1])
    assert points["value"][2] == inf
    assert points["time"][0] == np.datetime64(TIME + 1, "us")


def test_a_metric_of_several_steps_or_ranks_must_be_told_apart(
    log: EventLog, settings: Settings, job: JobStream
) -> None:
    append(log, STARTED, point("train", loss=1), point("test", loss=2), point(accuracy=3))
    append(log, {**STARTED, "rank": 1}, point("train", loss=4), producer="p1")
    project(settings)

    with pytest.raises(ValueError, match=r"several series: .*step 'train' of rank 1"):
        job.metric("loss")
    with pytest.raises(LookupError, match="no metric 'loss' of rank 7; it has 'accuracy', 'loss'"):
        job.metric("loss", rank=7)
    assert job.metric("loss", step="test").values.tolist() == [2]
    assert job.metric("loss", step="train", rank=1).values.tolist() == [4]
    assert job.metric("accuracy").values.tolist() == [3]


def test_a_metric_is_that_of_the_latest_attempt_unless_one_is_named(
    log: EventLog, settings: Settings, job: JobStream
) -> None:
    append(log, STARTED, point(loss=1))
    append(log, STARTED, point(loss=2), producer="p1")
    project(settings)

    assert job.metric("loss").values.tolist() == [2]
    assert job.metric("loss", attempt=1).values.tolist() == [1]


def test_metrics_become_one_data_frame(log: EventLog, settings: Settings, job: JobStream) -> None:
    append(log, STARTED, point(x=1, loss=0.5, accuracy=0.25), point(None, loss=3))
    project(settings)

    frame = job.metrics().to_pandas()

    assert list(frame.columns) == ["attempt", "rank", "step", "name", "x", "time", "value"]
    rows = frame.set_index("value").sort_index()
    assert rows["name"].tolist() == ["accuracy", "loss", "loss"]
    assert rows["step"].tolist()[:2] == ["train", "train"]
    assert rows["step"].isna().tolist() == [False, False, True]
    assert rows["x"].isna().tolist() == [False, False, True]
    assert rows["time"].iloc[0].isoformat() == "2025-11-23T06:40:00.000001+00:00"
    assert set(rows["attempt"]) == {1}
    assert job.metrics("accuracy").to_pandas()["value"].tolist() == [0.25]
    assert len(job.metrics(step="nowhere").to_pandas()) == 0


def test_metrics_become_one_frame_of_polars(
    log: EventLog, settings: Settings, job: JobStream
) -> None:
    append(log, STARTED, point(x=1, loss=0.5, accuracy=0.25), point(None, loss=3))
    project(settings)

    frame = job.metrics().to_polars().sort("value")

    assert frame.columns == ["attempt", "rank", "step", "name", "x", "time", "value"]
    assert frame["name"].to_list() == ["accuracy", "loss", "loss"]
    assert frame["step"].to_list() == ["train", "train", None]
    assert frame["x"].to_list() == [1.0, 1.0, None]
    assert frame["time"][0].isoformat() == "2025-11-23T06:40:00.000001+00:00"
    assert frame["value"].to_list() == [0.25, 0.5, 3.0]
    assert len(job.metrics(step="nowhere").to_polars()) == 0


def test_every_message_comes_in_order_however_many_pages_it_takes(
    log: EventLog, settings: Settings, job: JobStream
) -> None:
    append(log, STARTED, *(message(f"message {number}") for number in range(1_201)))
    project(settings)

    found = list(job.messages())

    assert [line.content for line in found] == [f"message {number}" for number in range(1_201)]
    assert list(job.messages(after=found[1_000].position)) == found[1_001:]


def test_messages_can_be_chosen_by_level_kind_step_text_and_language(
    log: EventLog, settings: Settings, job: JobStream
) -> None:
    append(
        log,
        STARTED,
        message("saved", step="train"),
        message("low on disk", "warning", template={"en": "low on disk", "ko": "디스크 부족"}),
        {"type": "dev_event", "message": "memory", "data": {"peak": 7}},
    )
    project(settings)

    def contents(**wanted: Any) -> list[str]:
        return [found.content for found in job.messages(**wanted)]

    assert contents() == ["saved", "low on disk"]
    assert contents(levels=["warning"]) == ["low on disk"]
    assert contents(kinds=["dev_event"]) == ["memory"]
    assert contents(step="train") == ["saved"]
    assert contents(text="disk") == ["low on disk"]
    assert contents(language="ko") == ["saved", "디스크 부족"]


def test_without_pandas_the_message_says_what_to_install(
    log: EventLog, settings: Settings, job: JobStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, STARTED, point(loss=1))
    project(settings)
    found = job.metrics()

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'synapse-stream\[notebook\]'"):
        found.to_pandas()
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'synapse-stream\[polars\]'"):
        found.to_polars()
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ModuleNotFoundError, match="numpy is not installed"):
        found.series[0].to_numpy()


def test_without_what_serves_views_the_message_says_what_to_install(
    tmp_path: Path, job: JobStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "somebody-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[synapse_stream.reading]\nsql = no_database_here:open\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    with pytest.raises(ConfigError, match=r"needs no_database_here: .*synapse-stream\[consumers\]"):
        job.state()
