"""Short scripts of public style, run with the real libraries: each curve equals the library's own.

And after SIGKILL, nothing that the library was told is lacking here.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from signal import SIGKILL
from typing import Any

import numpy as np
import pytest

from synapse_stream import JobStream
from tests.support.commands import environment
from tests.support.servers import wait_until

__all__ = ["environment"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXEC = (sys.executable, "-m", "synapse_stream.cli", "exec", "--")
ON_DISK = ["", "killed"]
"""Arguments of a script: it is killed where it says so."""

Curves = dict[str, list[tuple[Any, float]]]


def play(
    environ: dict[str, str], script: str, *args: str, bridges: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a script below `exec`, as its users do."""
    own = {"PYTHONPATH": str(ROOT), "SYNAPSE_STREAM_JOB_ID": "job-42", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [*EXEC, sys.executable, str(HERE / "scripts" / f"{script}.py"), *filter(None, args)],
        env={**environ, **own, "SYNAPSE_STREAM_BRIDGES": bridges, "WANDB_MODE": "offline", **more},
        capture_output=True,
        text=True,
        check=False,
        cwd=environ["SYNAPSE_STREAM_DATA_DIR"],
    )


def events(environ: dict[str, str], kind: str) -> list[Any]:
    """Return the events of a type, once what a killed process left was sent."""
    subprocess.run(
        [sys.executable, "-m", "synapse_stream.cli", "drain"],
        env=environ,
        check=False,
        capture_output=True,
    )
    found: list[Any] = [recorded.event for recorded in JobStream("job-42").read()]
    return [event for event in found if event.type == kind]


def curves(environ: dict[str, str]) -> Curves:
    found: Curves = defaultdict(list)
    for event in events(environ, "metrics"):
        for name, value in event.values.items():
            found[f"{event.step}:{name}" if event.step else name].append((event.x, value))
    return dict(found)


def same(ours: Curves, theirs: Curves) -> None:
    """Fail unless both have the same points, bit by bit, NaN among them."""
    assert sorted(ours) == sorted(theirs)
    for name, points in theirs.items():
        assert [x for x, _ in ours[name]] == [x for x, _ in points], name
        assert [pair for pair in zip(ours[name], points, strict=True) if differ(*pair)] == [], name


def differ(mine: tuple[Any, float], yours: tuple[Any, float]) -> bool:
    both = mine[1], yours[1]
    return not (all(math.isnan(value) for value in both) or both[0] == both[1])


@pytest.mark.parametrize("death", ON_DISK)
def test_tensorboard(environment: dict[str, str], tmp_path: Path, death: str) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = play(environment, "tensorboard_writer", str(tmp_path), death, bridges="tensorboard")

    assert done.returncode == (-SIGKILL if death else 0), done.stderr
    theirs: Curves = {}
    for folder in [tmp_path, *filter(Path.is_dir, tmp_path.iterdir())]:
        loaded = EventAccumulator(str(folder)).Reload()
        part = folder.name.removeprefix("weight_")
        for tag in loaded.Tags()["scalars"]:
            name = tag if part == folder.name else f"{tag}/{part}"
            theirs[name] = [(e.step, e.value) for e in loaded.Scalars(tag)]
    single = {
        name: [(x or 0, float(np.float32(value))) for x, value in points]
        for name, points in curves(environment).items()
    }
    same(single, theirs)  # it keeps numbers of 32 bits
    texts = [event for event in events(environment, "log") if event.event != "hparams"]
    assert [event.event for event in texts] == ["a line through points"]


@pytest.mark.parametrize("death", ON_DISK)
def test_wandb(environment: dict[str, str], death: str) -> None:
    done = play(environment, "wandb_run", death, bridges="wandb")

    assert done.returncode == (-SIGKILL if death else 0), done.stderr
    ours = curves(environment)
    same(ours, expected_of_wandb())
    assert "Run.log('picture': Image) does nothing here" in done.stderr
    (started,) = events(environment, "run_started")
    assert started.params == {"lr": 0.1, "layers": [64, 10]}
    assert started.labels["project"] == "digits"
    if not death:
        (end,) = events(environment, "end")
        assert (end.status, end.result["best"]) == ("completed", 0.9)


@pytest.mark.parametrize("death", ON_DISK)
def test_wandb_in_its_place(environment: dict[str, str], death: str) -> None:
    """The script's own line is changed: `import synapse_stream.integrations.wandb as wandb`."""
    text = (HERE / "scripts" / "wandb_run.py").read_text()
    changed = text.replace("import wandb", "import synapse_stream.integrations.wandb as wandb")
    script = Path(environment["SYNAPSE_STREAM_DATA_DIR"]) / "changed.py"
    script.write_text(changed.replace('wandb.log({"picture"', 'wandb.log({"a": 1.0, "picture"'))

    done = play(environment, str(script.with_suffix("")), death)

    assert done.returncode == (-SIGKILL if death else 0), done.stderr
    theirs = expected_of_wandb()
    same(curves(environment), {**theirs, "a": [(theirs["odd"][0][0] + 1, 1.0)]})
    assert "wandb.Image does nothing here" in done.stderr


def expected_of_wandb() -> Curves:
    """Return what the script has told, with the numbers of rows that W&B gives them."""
    points: Curves = defaultdict(list)
    row = 0
    for step in range(60):
        points["loss"].append((row, math.exp(-step / 20)))
        points["np"].append((row, float(np.float32(step) / 3)))
        points["in.side"].append((row, step))
        row += 1
        if step % 10 == 9:
            points["val/accuracy"].append((step // 10, step / 60))
            points["epoch"].append((row, step // 10))
            row += 1
    points["part"].append((row, 1.0))
    points["other"].append((row, 2.0))
    points["at"].append((100, 5.0))
    points["odd"].append((100, math.nan))
    return points


@pytest.mark.parametrize("death", ON_DISK)
def test_mlflow(environment: dict[str, str], tmp_path: Path, death: str) -> None:
    store = tmp_path / "mlruns"
    done = play(
        environment,
        "mlflow_run",
        death,
        bridges="mlflow",
        MLFLOW_TRACKING_URI=store.as_uri(),
        MLFLOW_ALLOW_FILE_STORE="true",
    )

    assert done.returncode == (-SIGKILL if death else 0), done.stderr
    theirs: Curves = {
        file.name: [
            (int(step), float(value))
            for _, value, step, *_ in map(str.split, file.read_text().splitlines())
        ]
        for file in store.glob("*/*/metrics/*")
    }
    same(curves(environment), theirs)
    params = {
        n: v for e in events(environment, "log") if e.event == "params" for n, v in e.data.items()
    }
    assert {name: str(value) for name, value in params.items()} == {
        "lr": "0.1", "layers": "2", "seed": "7",
    }  # fmt: skip


@pytest.mark.parametrize("dies", ["", "1"])
@pytest.mark.parametrize(
    ("script", "more"),
    [
        ("keras_fit", {}),
        ("lightning_fit", {}),
        ("transformers_train", {"REPORT_TO": "synapse_stream"}),
        ("transformers_train", {"bridges": "transformers"}),
    ],
    ids=["keras", "lightning", "transformers by report_to", "transformers unmodified"],
)
def test_frameworks(
    environment: dict[str, str], tmp_path: Path, script: str, more: dict[str, str], dies: str
) -> None:
    told = tmp_path / "points.json"
    done = play(environment, script, str(tmp_path), POINTS=str(told), DIES=dies, **more)

    assert done.returncode == (-SIGKILL if dies else 0), done.stderr
    theirs: Curves = defaultdict(list)
    for name, x, value in json.loads(told.read_text()):
        theirs[name].append((x, value))
    same(curves(environment), dict(theirs))
    if not dies:
        assert [event.status for event in events(environment, "end")] == ["completed"]


def test_bars_and_logs(environment: dict[str, str]) -> None:
    done = play(environment, "tqdm_logging", bridges="tqdm,logging")

    assert done.returncode == 0, done.stderr
    assert "INFO:trainer:epoch 19" in done.stderr  # where it went before
    bars = events(environment, "progress")
    assert (bars[-1].step, bars[-1].current, bars[-1].total) == ("epochs", 20, 20)
    logs = wait_until(lambda: events(environment, "log"))
    assert [event.event for event in logs] == [f"epoch {number}" for number in range(20)]
