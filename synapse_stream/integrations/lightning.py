"""Trainings of Lightning report: `Trainer(logger=StreamLogger())`."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from synapse_stream.integrations.current import Current

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext

# The library has two names, whose classes are not each other's.
if "pytorch_lightning" in sys.modules and "lightning" not in sys.modules:
    from pytorch_lightning.loggers import Logger
    from pytorch_lightning.utilities import rank_zero_only
else:
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.utilities import rank_zero_only


class StreamLogger(Logger):
    """Reports what a `Trainer` logs, with its step as x, its hyperparameters and checkpoints.

    Only the process of rank 0 reports, as to Lightning's own loggers.

    Args:
        run: the run to report to; None: the one that is open, else a new one.
    """

    def __init__(self, run: RuntimeContext | None = None) -> None:
        super().__init__()
        self._current = Current(run)

    @property
    def name(self) -> str:
        """What the logger is called."""
        return "synapse_stream"

    @property
    def version(self) -> str | None:
        """The job."""
        return self._current.run.job_id

    @property
    def experiment(self) -> RuntimeContext:
        """The run, for reports of the module's own."""
        return self._current.run

    @rank_zero_only
    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        """Record what it is trained with."""
        self._current.begin("fit", vars(params) if isinstance(params, Namespace) else params)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Report every value."""
        self._current.values(metrics, step)

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Report where a checkpoint is."""
        file = checkpoint_callback.best_model_path or checkpoint_callback.last_model_path
        if file:
            self._current.tell("log", "checkpoint", {}, file)
