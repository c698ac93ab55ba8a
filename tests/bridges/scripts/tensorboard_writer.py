"""A training loop of PyTorch that writes for TensorBoard."""

import sys

import torch
from torch.utils.tensorboard import SummaryWriter

torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
inputs = torch.randn(64, 4)
targets = inputs.sum(dim=1, keepdim=True)

writer = SummaryWriter(log_dir=sys.argv[1])
writer.add_text("about", "a line through points", 0)
loss = torch.zeros(())
for epoch in range(40):
    loss = torch.nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    writer.add_scalar("loss/train", loss, epoch)
    writer.add_scalars("weight", {"min": model.weight.min(), "max": model.weight.max()}, epoch)
    writer.add_histogram("weights", model.weight, epoch)
writer.add_scalar("odd", float("nan"), 0)
writer.add_scalar("odd", float("inf"), 1)
writer.add_hparams({"lr": 0.05}, {"final/loss": float(loss)})
writer.flush()
if len(sys.argv) > 2:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
writer.close()
