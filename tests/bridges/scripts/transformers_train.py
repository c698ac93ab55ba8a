"""A training with Transformers' Trainer, of a model of two layers that is made here."""

import os
import sys

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from tests.bridges.scripts._done import die_after

if os.environ.get("REPORT_TO"):
    import synapse_stream.integrations.transformers  # noqa: F401

torch.manual_seed(0)
config = BertConfig(
    vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
)
model = BertForSequenceClassification(config)
examples = [
    {"input_ids": torch.randint(0, 50, (8,)), "labels": torch.tensor(number % 2)}
    for number in range(32)
]
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir=sys.argv[1],
        per_device_train_batch_size=8,
        num_train_epochs=3,
        logging_steps=1,
        eval_strategy="epoch",
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        report_to=os.environ.get("REPORT_TO", "none"),
    ),
    train_dataset=examples,
    eval_dataset=examples[:8],
)
trainer.train()
points = [
    [name, row["step"], value]
    for row in trainer.state.log_history
    for name, value in row.items()
    if name != "step"
]
die_after(points)
