"""What a report call costs the plugin, against `logging.FileHandler` writing the same text."""

from __future__ import annotations

import json
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from bench.figures import Bound, Row, percentile
from bench.stage import STEP, Stage, as_text, file_logger, metric_texts, metric_values, time_calls
from synapse_stream.events import rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from synapse_stream import RuntimeContext

    Arguments = Callable[[int], Iterable[tuple[Any, ...]]]

PAUSE_SECONDS = 0.0005
HALF = Bound(0.5, on="ratio")


class Report(NamedTuple):
    """A report method, arguments for it, and the text of the events that it makes."""

    method: str
    arguments: Arguments
    texts: Callable[[int], Iterable[str]]


METRICS = Report(
    "set_metrics", lambda count: ((values, STEP) for values in metric_values(count)), metric_texts
)
PROGRESS = Report(
    "set_progress",
    lambda count: ((i, count, STEP) for i in range(count)),
    lambda count: (as_text("progress", STEP, rules.progress(i, count), i) for i in range(count)),
)
MESSAGE = Report(
    "log_message",
    lambda count: ((f"Epoch {i} of {count} is done", "info") for i in range(count)),
    lambda count: (
        as_text("message", None, rules.message(f"Epoch {i} of {count} is done", "info", {}), i)
        for i in range(count)
    ),
)


def rows(stage: Stage) -> Iterator[Row]:
    """Tight loops of three report methods, then set_metrics with pauses."""
    with stage.run() as context:
        for report in (METRICS, PROGRESS, MESSAGE):
            name = f"{report.method}, tight loop"
            yield from _compare(stage, context, report, name, HALF if report is METRICS else None)
        name = f"set_metrics, a call each {PAUSE_SECONDS * 1000:g} ms"
        yield from _compare(stage, context, METRICS, name, None, PAUSE_SECONDS)
    yield from _against_a_file(stage)


def _against_a_file(stage: Stage) -> Iterator[Row]:
    """`set_metrics` against the least that a plugin does by itself: a line of JSON in a file."""
    count = stage.scale.calls
    ours, theirs = [], []
    for _ in range(stage.scale.rounds):
        with stage.run() as context:
            calls = METRICS.arguments(count)
            ours.append(median(time_calls(context.set_metrics, calls)))
        path = stage.root / "yardstick.jsonl"
        with path.open("w") as file:
            theirs.append(median(time_calls(partial(_write_line, file), METRICS.arguments(count))))
        path.unlink()
    yield Row(
        "set_metrics, tight loop, median, against a file",
        "µs", ours, theirs, "json.dumps, write", HALF,
    )  # fmt: skip


def _write_line(file: TextIO, values: dict[str, float], step: str) -> None:
    event = {"type": "metrics", "v": 1, "step": step, "values": values}
    file.write(json.dumps({"seq": 0, "time": time.time_ns() // 1000, **event}) + "\n")


def _compare(
    stage: Stage,
    context: RuntimeContext,
    report: Report,
    name: str,
    bound: Bound | None,
    pause: float = 0.0,
) -> Iterator[Row]:
    count = stage.scale.paced if pause else stage.scale.calls
    ours, theirs = [], []
    with file_logger(stage.root / "yardstick.log") as logger:
        for _ in range(stage.scale.rounds):
            ours.append(time_calls(getattr(context, report.method), report.arguments(count), pause))
            assert context.flush(60)  # the yardstick's turn is not slowed by our shipper
            texts = ((text,) for text in report.texts(count))
            theirs.append(time_calls(logger.info, texts, pause))
    against = "FileHandler"
    yield Row(
        f"{name}, median",
        "µs",
        [median(t) for t in ours],
        [median(t) for t in theirs],
        against,
        bound,
    )
    p99, their_p99 = ([percentile(took, 0.99) for took in each] for each in (ours, theirs))
    yield Row(f"{name}, p99", "µs", p99, their_p99, against)
