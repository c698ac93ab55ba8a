"""What the tee adds to a call of the SDK's `JobLogger`; `bench.tee` runs it where the SDK is.

    python -m bench.tee_calls CALLS ROUNDS

The settings are those of the environment. Prints a line of JSON a kind of call: for each round the
median of the tee's calls and of the same calls of a `JobLogger` alone, in nanoseconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from synapse_sdk.i18n import LocalizedMessage
from synapse_sdk.loggers import JobLogger
from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext

from synapse_stream.integrations.synapse_sdk import StreamJobLogger

if TYPE_CHECKING:
    from collections.abc import Callable

_MESSAGE = LocalizedMessage(en="Epoch {n} is done", ko="에포크 {n} 완료")
CALLS: dict[str, Callable[[RuntimeContext, int, int], object]] = {
    "set_progress": lambda ctx, i, n: ctx.set_progress(i, n, "train"),
    "set_metrics": lambda ctx, i, _: ctx.set_metrics({"loss": 1 / (i + 1), "acc": i}, "train"),
    "log": lambda ctx, i, _: ctx.log("upload_data_file", {"i": i, "name": "a.png"}),
    "log_message": lambda ctx, i, _: ctx.log_message("Epoch {n} is done", n=i),
    "log_message, two languages": lambda ctx, i, _: ctx.log_message(_MESSAGE, n=i),
    "log_metric": lambda ctx, i, _: ctx.log_metric("val", "epoch", i, loss=0.5),
    "logger.info": lambda ctx, i, _: ctx.logger.info("hello"),
}


class Backend:
    """Takes everything at once, so that no call waits for it."""

    def create_logs(self, logs: Any) -> None:
        pass

    def update_job(self, job_id: str, update: Any) -> None:
        pass


def main(calls: int, rounds: int) -> None:
    for name, call in CALLS.items():
        tee: list[float] = []
        alone: list[float] = []
        for _ in range(rounds):
            for kind, times in ((StreamJobLogger, tee), (JobLogger, alone)):
                times.append(median(_times(kind, call, calls)))
        print(json.dumps({"call": name, "tee": tee, "alone": alone}), flush=True)


def _times(kind: Any, call: Callable[[Any, int, int], object], calls: int) -> list[int]:
    logger = kind(Backend(), f"tee-{time.time_ns()}")
    ctx = RuntimeContext(logger=logger, env=PluginEnvironment())
    took = []
    with contextlib.redirect_stdout(io.StringIO()):
        report = partial(call, ctx)
        report(0, calls)  # opens the run
        for i in range(calls):
            start = time.perf_counter_ns()
            report(i, calls)
            took.append(time.perf_counter_ns() - start)
    logger.finish()
    return took


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
