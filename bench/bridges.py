"""What a bridge adds to a report: its own call, less the report that it makes, in one round."""

from __future__ import annotations

import io
import logging
from functools import partial
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.figures import Bound, Row
from bench.stage import time_calls
from synapse_stream.integrations import mlflow, wandb
from synapse_stream.integrations import tqdm as tqdm_bridge
from synapse_stream.integrations.current import Current
from synapse_stream.integrations.logging import RunHandler
from synapse_stream.integrations.tensorboard import SummaryWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.stage import Stage
    from synapse_stream import RuntimeContext

    Pair = tuple[Callable[[], Any], Callable[[], Any]]

ADDED = Bound(5.0, on="ours")
LOSS = {"loss": 0.5}
ROW = {"loss": 0.5, "accuracy": 0.25, "lr": 0.1}


def rows(stage: Stage) -> Iterator[Row]:
    """Each bridge whose library is not needed for it, and tqdm."""
    with stage.run() as context:
        for name, (bridge, ours) in _pairs(context).items():
            added, alone = [], []
            for _ in range(stage.scale.rounds):
                calls = [()] * stage.scale.calls
                alone.append(median(time_calls(ours, calls)))
                added.append(median(time_calls(bridge, calls)) - alone[-1])
            yield Row(f"{name}: what it adds", "µs", added, alone, "the report alone", ADDED)


def _pairs(context: RuntimeContext) -> dict[str, Pair]:
    """Return the calls of bridges, and the reports that they make."""
    record = logging.LogRecord("root", logging.INFO, "/train.py", 3, "epoch %d", (3,), None)
    data = {"logger": "root", "place": "/train.py:3"}
    writer = SummaryWriter(run=context)
    wandb.init()  # the run that is open
    bar = tqdm_bridge.tqdm(total=10**9, file=io.StringIO(), mininterval=1e9)
    numbers = count(1)
    metrics = context.set_metrics
    return {
        "logging": (
            partial(RunHandler(run=context).emit, record),
            partial(context.log, "epoch 3", data),
        ),
        "TensorBoard": (partial(writer.add_scalar, "loss", 0.5, 3), partial(metrics, LOSS, x=3)),
        "MLflow": (partial(mlflow.log_metric, "loss", 0.5, 3), partial(metrics, LOSS, x=3)),
        "W&B": (partial(wandb.log, ROW), partial(metrics, ROW, x=3)),
        "Transformers, Lightning, Keras": (
            partial(Current(context).values, ROW, 3),
            partial(metrics, ROW, x=3),
        ),
        "tqdm, a drawing": (
            partial(_draw, bar),
            lambda: context.set_progress(next(numbers), 10**9, "progress"),
        ),
    }


def _draw(bar: Any) -> None:
    """Do what is done beside a drawing."""
    bar.n += 1
    tqdm_bridge.report(bar, bar.total)
