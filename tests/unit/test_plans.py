"""What can be announced, and what becomes of a wrong announcement."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from synapse_stream.events.plans import plan
from synapse_stream.reporting.context import RuntimeContext
from tests.support.recording import RecordingLogger

if TYPE_CHECKING:
    from synapse_stream.events.rules import Wrong


@pytest.mark.parametrize(
    ("steps", "planned"),
    [
        ({"load": 1, "train": 20.5}, {"load": 1, "train": 20.5}),
        ({"load": None, "train": np.float32(2)}, {"load": None, "train": 2.0}),
        (["load", "train"], {"load": None, "train": None}),
        (iter(("load",)), {"load": None}),
        ({"nul\0": 1}, {"nul␀": 1}),
    ],
)
def test_steps_are_announced_with_weights_or_without(steps: Any, planned: dict[str, Any]) -> None:
    assert plan(steps) == {"steps": planned}


@pytest.mark.parametrize("steps", ["train", b"train", 5, None])
def test_a_plan_that_is_none_raises(steps: Any) -> None:
    with pytest.raises(TypeError, match="mapping of names to weights"):
        RuntimeContext(RecordingLogger()).plan(steps)


@pytest.mark.parametrize(
    ("weight", "error"),
    [(0, ValueError), (-1, ValueError), (nan, ValueError), (inf, ValueError), ("a", TypeError)],
)
def test_a_wrong_weight_costs_itself(weight: Any, error: type[Exception]) -> None:
    wrong: list[Wrong] = []

    assert plan({"load": 1, "train": weight}, wrong) == {"steps": {"load": 1, "train": None}}
    assert [one.parameter for one in wrong] == ["steps['train']"]
    with pytest.raises(error, match="weight of 'train'"):
        plan({"train": weight})


def test_of_very_many_steps_the_first_are_announced() -> None:
    wrong: list[Wrong] = []

    found = plan([str(number) for number in range(1_001)], wrong)["steps"]

    assert len(found) == 1_000
    assert len(wrong) == 1


def test_a_plan_is_one_event_and_an_empty_one_is_none() -> None:
    logger = RecordingLogger()
    ctx = RuntimeContext(logger)

    ctx.plan({})
    ctx.plan({"load": 1, "train": 20})
    ctx.plan({"load": -1})

    kinds = [(kind, fields.get("steps")) for kind, _, fields in logger.events]
    assert kinds == [
        ("plan", {"load": 1, "train": 20}),
        ("plan", {"load": None}),
        ("dev_event", None),
    ]
