"""Files that the real libraries have written, imported: every point equals the library's own."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from synapse_stream import JobStream
from tests.bridges.test_scripts import HERE, Curves, environment, expected_of_wandb, same

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["environment"]


def imported(environ: dict[str, str], path: Path, job_id: str) -> tuple[list[Any], Curves]:
    """Import a run; return its events, and the points of those that are of no step."""
    done = subprocess.run(
        [sys.executable, "-m", "synapse_stream.cli", "import", str(path), "--job", job_id],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events: list[Any] = [recorded.event for recorded in JobStream(job_id).read()]
    points: Curves = defaultdict(list)
    for event in events:
        if event.type == "metrics" and event.step is None:
            for name, value in event.values.items():
                points[name].append((event.x, value))
    return events, dict(points)


def script(code: str, home: Path, **environ: str) -> None:
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environ},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_tensorboard(environment: dict[str, str], tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "logs")) as writer:
        for step in range(300):
            writer.add_scalar("single", 1 / (step + 3), step)
            writer.add_scalar("tensor", 1 / (step + 3), step, new_style=True)
            writer.add_scalar("double", 1 / (step + 3), step, double_precision=True, new_style=True)
        writer.add_scalar("odd", math.nan, 0)
        writer.add_scalar("odd", -math.inf, 1)
        writer.add_text("about", "a line", 1)
    loaded = EventAccumulator(str(tmp_path / "logs"), size_guidance={"tensors": 0}).Reload()
    theirs: Curves = {}
    times: dict[tuple[str, int], float] = {}
    for tag in loaded.Tags()["scalars"]:
        theirs[tag] = [(each.step, each.value) for each in loaded.Scalars(tag)]
        times |= {(tag, each.step): each.wall_time for each in loaded.Scalars(tag)}
    for tag in loaded.Tags()["tensors"]:
        if not tag.startswith("about"):
            theirs[tag] = [
                (each.step, float(np.asarray(make_ndarray(each.tensor_proto)).item()))
                for each in loaded.Tensors(tag)
            ]

    events, ours = imported(environment, tmp_path / "logs", "tb")

    same(ours, theirs)
    assert len(theirs["double"]) == 300
    seen = {
        (name, event.x): event.time
        for event in events
        if event.type == "metrics"
        for name in event.values
    }
    assert {place: round(time * 1e6) for place, time in times.items()}.items() <= seen.items()
    assert [event.event for event in events if event.type == "log"] == ["a line"]


def test_wandb(environment: dict[str, str], tmp_path: Path) -> None:
    text = (HERE / "scripts" / "wandb_run.py").read_text()
    script(text, tmp_path / "home", WANDB_MODE="offline")
    (file,) = (tmp_path / "home").rglob("*.wandb")

    events, ours = imported(environment, file, "wb")

    # In the file every row is over its number; what stands for a picture is there, too.
    theirs = expected_of_wandb()
    theirs["val/accuracy"] = [(11 * n + 10, (10 * n + 9) / 60) for n in range(6)]
    kept = {name: points for name, points in ours.items() if not name.startswith("picture")}
    same(kept, theirs)
    start, *_, end = events
    assert start.params == {"lr": 0.1, "layers": [64, 10], "more": True}
    assert (start.labels["project"], end.status) == ("digits", "completed")


def test_mlflow(environment: dict[str, str], tmp_path: Path) -> None:
    text = (HERE / "scripts" / "mlflow_run.py").read_text()
    folder, database = tmp_path / "mlruns", tmp_path / "mlflow.db"
    script(
        text,
        tmp_path / "a",
        MLFLOW_TRACKING_URI=folder.as_uri(),
        MLFLOW_ALLOW_FILE_STORE="true",
    )
    script(text, tmp_path / "b", MLFLOW_TRACKING_URI=f"sqlite:///{database}")
    steps = range(30)
    theirs: Curves = {
        "loss": [(step, math.exp(-step / 10)) for step in steps],
        "a": [(step, step / 3) for step in steps],
        "b": [(step, float(-step)) for step in steps],
        "odd": [(0, math.nan)],
    }

    for place, job_id in ((folder, "ml-folder"), (database, "ml-database")):
        events, ours = imported(environment, place, job_id)
        same(ours, theirs)
        start, *_, end = events
        assert start.params == {"lr": "0.1", "layers": "2", "seed": "7"}
        assert (start.labels["run"], start.labels["who"]) == ("one", "me")
        assert end.status == "completed"


def test_trackio(environment: dict[str, str], tmp_path: Path) -> None:
    code = """
import math, trackio
trackio.init(project="digits", name="one", config={"lr": 0.1})
for step in range(20):
    trackio.log({"loss": 1 / (step + 3), "odd": math.nan, "in": {"side": step}})
trackio.finish()
"""
    home = tmp_path / "trackio"
    script(code, home, TRACKIO_DIR=str(home), HF_HUB_OFFLINE="1")

    events, ours = imported(environment, home / "digits.db", "trackio")

    theirs: Curves = {
        "loss": [(step, 1 / (step + 3)) for step in range(20)],
        "odd": [(step, math.nan) for step in range(20)],
        "in/side": [(step, step) for step in range(20)],
    }
    same(ours, theirs)
    assert events[0].params == {"lr": 0.1}
    assert events[0].labels["project"] == "digits"
