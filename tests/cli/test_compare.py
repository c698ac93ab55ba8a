"""`compare`: only what differs, and which value is best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.ports.comparing import direction, flat
from tests.support.chains import Chain
from tests.support.events import ended, metrics, started
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said


@pytest.fixture
def two(log: EventLog, settings: Settings) -> None:
    """Have two runs of the same job on two hosts, with another learning rate."""
    for number, (lr, loss, accuracy) in enumerate([(0.1, 0.5, 0.7), (0.2, 0.25, 0.6)]):
        params = {"optimizer": {"lr": lr, "name": "sgd"}, "seed": 1}
        told = [
            started(params=params, labels={"team": "\x1b[31ma"}, host=f"node-{number}", at=0),
            metrics({"loss": loss, "accuracy": accuracy, "lr": lr}, step="fit"),
            metrics({"loss": loss + 1, "accuracy": accuracy / 2, "lr": lr}, step="fit"),
            metrics({"only": 1} if number else {"loss": 2}, step="fit"),
            ended(at=60),
        ]
        log.append(Chain(f"run-{number}").add(*told))
    project(settings)


@pytest.mark.usefixtures("two")
def test_runs_are_compared_by_what_differs(command: Callable[..., Said]) -> None:
    said = command("compare", "run-0", "run-1")

    assert said.code == 0, said
    lines = [line.split() for line in said.lines]
    assert lines[0] == ["run-0", "run-1"]
    assert lines[1:-1] == [
        ["params", "optimizer.lr", "0.1", "0.2"],
        ["environment", "host", "node-0", "node-1"],
        ["metrics", "fit:", "accuracy", "0.7", "*", "0.6"],
        ["metrics", "fit:", "loss", "0.5", "0.25", "*"],
        ["metrics", "fit:", "lr", "0.1", "0.2"],
        ["metrics", "fit:", "only", "-", "1"],
    ]
    assert lines[-1][1:] == ["more", "are", "the", "same"]
    assert "\x1b" not in said.out


@pytest.mark.usefixtures("two")
def test_as_json_there_is_one_object(command: Callable[..., Said]) -> None:
    (found,) = command("compare", "run-1", "run-0", "--json").objects

    assert found["jobs"] == ["run-1", "run-0"]
    rows = {row["name"]: (row["kind"], row["values"], row["best"]) for row in found["rows"]}
    assert rows["optimizer.lr"] == ("params", [0.2, 0.1], [])
    assert rows["fit: loss"] == ("metrics", [0.25, 0.5], [0])
    assert rows["fit: only"] == ("metrics", [1.0, None], [])


@pytest.mark.usefixtures("two")
def test_what_cannot_be_compared_is_said(command: Callable[..., Said]) -> None:
    assert command("compare", "run-0", "run-0").code == 2
    said = command("compare", "run-0", "run-9")
    assert said.code == 1
    assert "'run-9' is not known" in said.err
    assert "did you mean" in said.err


def test_names_tell_whether_low_or_high_is_good() -> None:
    low, high = ["val/loss", "RMSE", "word_error_rate"], ["top1_acc", "F1", "mean_iou"]
    assert [direction(name) for name in [*low, *high, "lr", "accuracy_loss"]] == [
        *(-1, -1, -1),
        *(1, 1, 1),
        *(0, 0),
    ]
    assert flat({"a": {"b": {"c": 1}}, "d": [1], "e": {}}) == {"a.b.c": 1, "d": [1], "e": {}}
    assert flat(None) == flat(5) == {}
