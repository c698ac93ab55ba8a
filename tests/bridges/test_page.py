"""What docs/bridges.md shows of trainings works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from synapse_stream import JobStream
from tests.bridges.test_scripts import ROOT, environment

__all__ = ["environment"]

PAGE = (ROOT / "docs" / "bridges.md").read_text()
TRANSFORMERS, LIGHTNING, KERAS = (
    re.search(rf"```python\n(from synapse_stream.integrations.{name} .*?)```", PAGE, re.DOTALL)[1]  # type: ignore[index]
    for name in ("transformers", "lightning", "keras")
)
BEFORE = {
    TRANSFORMERS: """
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
model = BertForSequenceClassification(BertConfig(vocab_size=10, **sizes))
examples = [{"input_ids": torch.zeros(4, dtype=int), "labels": torch.tensor(0)}] * 8
args = TrainingArguments("out", max_steps=2, logging_steps=1, save_steps=2, use_cpu=True)
""",
    LIGHTNING: """
import torch
from lightning import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
class Module(BoringModel):
    def training_step(self, batch, index):
        self.log("loss", 0.5, on_epoch=True, on_step=False)
        return super().training_step(batch, index)
module, data = Module(), torch.utils.data.DataLoader(torch.zeros(4, 32))
""",
    KERAS: """
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras, numpy
model = keras.Sequential([keras.layers.Dense(1)])
model.compile(loss="mse")
inputs, targets = numpy.zeros((4, 2)), numpy.zeros(4)
""",
}


@pytest.mark.parametrize("code", BEFORE, ids=["transformers", "lightning", "keras"])
def test_an_example_reports(environment: dict[str, str], code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE[code] + code],
        env={**environment, "SYNAPSE_STREAM_JOB_ID": "job-42", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        cwd=environment["SYNAPSE_STREAM_DATA_DIR"],
    )

    assert done.returncode == 0, done.stderr
    found: list[Any] = [recorded.event for recorded in JobStream("job-42").read()]
    assert {"run_started", "metrics", "end"} <= {event.type for event in found}
    assert any("loss" in event.values for event in found if event.type == "metrics")
