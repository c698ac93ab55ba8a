"""A plugin written for the SDK; the tests run it by the SDK's own drivers."""

from __future__ import annotations

import os
import signal
import sys

from pydantic import BaseModel
from synapse_sdk.loggers import ConsoleLogger
from synapse_sdk.plugins.action import BaseAction


class Params(BaseModel):
    epochs: int = 3
    end: str = "return"


class TrainAction(BaseAction[Params]):
    def execute(self) -> dict[str, int]:
        self.log_message("Training {n} epochs", n=self.params.epochs)
        for epoch in range(1, self.params.epochs + 1):
            self.set_progress(epoch, self.params.epochs, "train")
            self.set_metrics({"loss": 1 / epoch, "note": None}, "train")
            self.ctx.log("saved", {"epoch": epoch})
        self.ctx.end_log()
        return _end(self.params)


class BusyAction(BaseAction[Params]):
    """Logs more than one request of the SDK's takes."""

    def execute(self) -> dict[str, int]:
        for epoch in range(self.params.epochs):
            self.ctx.log("saved", {"epoch": epoch})
        self.set_progress(1, 1, "train")
        return {"epochs": self.params.epochs}


class NestedAction(BaseAction[Params]):
    """Builds further loggers, as parts of the SDK do, and forgets one of them."""

    def execute(self) -> dict[str, int]:
        ConsoleLogger().info("from a forgotten one")
        other = ConsoleLogger()
        other.info("from a finished one")
        other.finish()
        self.logger.info("from the driver's")
        return {}


def _end(params: Params) -> dict[str, int]:
    if params.end == "raise":
        raise ValueError("broken")
    if params.end == "exit":
        sys.exit(3)
    if params.end == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    return {"epochs": params.epochs}
