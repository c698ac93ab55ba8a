"""A script with MLflow's calls."""

import math
import os
import signal
import sys

import mlflow

with mlflow.start_run(run_name="one"):
    mlflow.log_param("lr", 0.1)
    mlflow.log_params({"layers": 2, "seed": 7})
    mlflow.set_tag("who", "me")
    for step in range(30):
        mlflow.log_metric("loss", math.exp(-step / 10), step=step)
        mlflow.log_metrics({"a": step / 3, "b": -step}, step=step)
    mlflow.log_metric("odd", float("nan"), step=0)
    if len(sys.argv) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
