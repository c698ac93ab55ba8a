"""Actions that the tests of `synapse-stream run` run."""

from __future__ import annotations

import time

from pydantic import BaseModel

from synapse_stream import BaseAction


class CountParams(BaseModel):
    to: int = 3
    pause: float = 0.0


class Count(BaseAction[CountParams]):
    action_name = "count"

    def execute(self) -> dict[str, int]:
        self.ctx.log_message("Counting [bold]up[/bold] \x1b[31m")
        for number in range(1, self.params.to + 1):
            self.ctx.set_progress(number, self.params.to, step="counting")
            self.ctx.set_metrics({"number": number, "half": number / 2}, x=number)
            time.sleep(self.params.pause)
        return {"counted": self.params.to}


class Fail(BaseAction[CountParams]):
    def execute(self) -> None:
        msg = "the data are gone"
        raise LookupError(msg)


class Wait(BaseAction[CountParams]):
    def execute(self) -> None:
        self.ctx.log_message("waiting")
        self.ctx.flush()
        while True:  # a signal that comes just before a sleep begins does not end it
            time.sleep(0.05)
