"""A script with W&B's calls."""

import math
import os
import signal
import sys

import numpy as np
import wandb

run = wandb.init(project="digits", name="one", config={"lr": 0.1, "layers": [64, 10]})
wandb.define_metric("val/*", step_metric="epoch")
for step in range(60):
    wandb.log({"loss": math.exp(-step / 20), "np": np.float32(step) / 3, "in": {"side": step}})
    if step % 10 == 9:
        wandb.log({"val/accuracy": step / 60, "epoch": step // 10})
wandb.log({"part": 1.0}, commit=False)
wandb.log({"other": 2.0})
wandb.log({"at": 5.0}, step=100)
wandb.log({"odd": float("nan")})
wandb.log({"picture": wandb.Image(np.zeros((4, 4, 3), dtype=np.uint8))})
wandb.config.update({"more": True})
wandb.run.summary["best"] = 0.9
if len(sys.argv) > 1:
    os.kill(os.getpid(), signal.SIGKILL)
wandb.finish()
