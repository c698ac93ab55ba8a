"""A training of Lightning, with its own CSV logger beside."""

import csv
import sys
from pathlib import Path

import lightning as L  # noqa: N812 - as everybody calls it
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from synapse_stream.integrations.lightning import StreamLogger
from tests.bridges.scripts._done import die_after


class Line(L.LightningModule):
    def __init__(self, lr: float = 0.05) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        inputs, targets = batch
        loss = torch.nn.functional.mse_loss(self.layer(inputs), targets)
        self.log("loss", loss)
        self.log_dict({"double": loss * 2, "half": loss / 2})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


L.seed_everything(0)
inputs = torch.randn(64, 4)
data = DataLoader(TensorDataset(inputs, inputs.sum(dim=1, keepdim=True)), batch_size=8)
beside = CSVLogger(sys.argv[1])
trainer = L.Trainer(
    max_epochs=3,
    logger=[StreamLogger(), beside],
    log_every_n_steps=1,
    default_root_dir=sys.argv[1],
    enable_progress_bar=False,
    enable_model_summary=False,
    accelerator="cpu",
)
trainer.fit(Line(), data)
beside.save()
with (Path(beside.log_dir) / "metrics.csv").open() as file:
    points = [
        [name, int(row["step"]), float(value)]
        for row in csv.DictReader(file)
        for name, value in row.items()
        if name != "step" and value
    ]
die_after(points)
