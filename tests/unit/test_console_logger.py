from __future__ import annotations

import io
import math
import re
import sys
import threading
from types import SimpleNamespace
from typing import IO, Any

import pytest

from synapse_stream.loggers import terminal
from synapse_stream.loggers.console import ConsoleLogger
from synapse_stream.reporting.context import RuntimeContext

ESCAPE = "\x1b"
CLOCK = re.compile(r"^\d\d:\d\d:\d\d ")


def plain(lines: str) -> list[str]:
    """Return what was written without the time of day in front."""
    return [CLOCK.sub("", line) for line in lines.splitlines()]


def shown(report: Any, *, debug: bool = False, job_id: str | None = "job-1") -> list[str]:
    stream = io.StringIO()
    report(RuntimeContext(ConsoleLogger(job_id, stream=stream, debug=debug)))
    return plain(stream.getvalue())


def test_without_a_terminal_there_are_plain_lines() -> None:
    def report(ctx: RuntimeContext) -> None:
        ctx.log_message("Starting")
        ctx.log("checkpoint", {"epoch": 5, "loss": 0.123456789}, file="/model.pt")
        ctx.set_metrics({"loss": 0.5, "accuracy": 1}, step="training", x=3)
        with ctx.action("train"):
            ctx.log_message("Careful", context="warning")
        ctx.set_progress_failed("training", "no data")
        ctx.end_log("failed", "ValueError: no data\n\nTraceback")

    assert shown(report) == [
        "INFO     Starting",
        "event    checkpoint epoch=5 loss=0.12346 file=/model.pt",
        "metrics  training: loss=0.5 accuracy=1 x=3",
        "action   train running",
        "WARNING  Careful",
        "action   train completed",
        "FAILED   training: no data",
        "run      job-1 failed: ValueError: no data",
    ]


def test_progress_is_a_line_each_tenth_of_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: now))

    def report(ctx: RuntimeContext) -> None:
        nonlocal now
        for done in range(1, 1_001):
            ctx.set_progress(done, 1_000, step="training")
            now += 0.1
        ctx.set_progress(0, 2)

    lines = shown(report)

    assert len(lines) == 12
    assert lines[0] == "progress training 1/1000 (0%)"
    assert lines[1] == "progress training 100/1000 (10%, 0:01:29 left)"
    assert lines[10:] == ["progress training 1000/1000 (100%)", "progress progress 0/2 (0%)"]


def test_a_step_that_begins_again_is_shown_again() -> None:
    def report(ctx: RuntimeContext) -> None:
        for done in (1, 2, 1, 2):
            ctx.set_progress(done, 2, "epoch")

    assert [line.split(",")[0] for line in shown(report)] == [
        "progress epoch 1/2 (50%",
        "progress epoch 2/2 (100%)",
        "progress epoch 1/2 (50%",
        "progress epoch 2/2 (100%)",
    ]


def test_dev_events_and_debug_entries_are_shown_with_debug_only() -> None:
    def report(ctx: RuntimeContext) -> None:
        ctx.log_dev_event("cache", {"hits": 95})
        ctx.log_dev_event("cold")
        ctx.log("tick", {"n": 1}, level="debug")

    assert shown(report) == []
    assert shown(report, debug=True) == [
        "dev      cache hits=95",
        "dev      cold",
        "event    tick n=1",
    ]


def test_job_text_has_no_power_over_the_terminal() -> None:
    def report(ctx: RuntimeContext) -> None:
        ctx.log_message(f"{ESCAPE}[2J[bold]not bold[/bold]{ESCAPE}]0;title\x07 \x9b31m:smile:\r")
        ctx.log_message("first\n12:00:00 INFO     forged")
        ctx.log(
            f"e{ESCAPE}[31m\nv", {f"k{ESCAPE}[2J\n": "v\nw", "[red]": f"{ESCAPE}c"}, file="f\ng"
        )
        ctx.set_progress(1, 1, step=f"s{ESCAPE}[31m\nt")
        ctx.set_metrics({f"m{ESCAPE}[5m\n": 1})
        with ctx.action(f"a{ESCAPE}[2J\nb"):
            pass

    assert shown(report) == [
        "INFO     [bold]not bold[/bold] 31m:smile:",
        "INFO     first",
        "                  12:00:00 INFO     forged",
        "event    e v k=v w [red]= file=f g",
        "progress s t 1/1 (100%)",
        "metrics  m=1",
        "action   a b running",
        "action   a b completed",
    ]


def test_long_and_odd_data_is_shown_in_short() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    def report(ctx: RuntimeContext) -> None:
        ctx.log("many", {str(number): number for number in range(50)})
        ctx.log("long", {"text": "x" * 1_000, "object": Hostile(), "nan": math.nan})

    many, long = shown(report)

    assert many == "event    many " + " ".join(f"{n}={n}" for n in range(12)) + " … 38 more"
    assert long.endswith("… object=<unrepresentable Hostile> nan=nan")
    assert len(long) < 200


def test_what_the_encoding_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")

    RuntimeContext(ConsoleLogger(stream=stream)).log_message("학습 done")
    stream.flush()

    assert plain(raw.getvalue().decode()) == [r"INFO     \ud559\uc2b5 done"]


def test_metrics_in_a_tight_loop_show_the_newest() -> None:
    def report(ctx: RuntimeContext) -> None:
        for number in range(2_000):
            ctx.set_metrics({"n": number})
        ctx.end_log()

    lines = shown(report)

    assert lines[0] == "metrics  n=0"
    assert lines[-2:] == ["metrics  n=1999", "run      job-1 completed"]
    assert len(lines) < 1_000


def test_metrics_held_back_are_shown_before_the_message_behind_them() -> None:
    def report(ctx: RuntimeContext) -> None:
        ctx.set_metrics({"n": 0})
        ctx.set_metrics({"n": 1})
        ctx.log_message("done")

    assert shown(report) == ["metrics  n=0", "metrics  n=1", "INFO     done"]


def test_a_run_without_a_job_is_called_run() -> None:
    assert shown(lambda ctx: ctx.end_log(), job_id=None) == ["run      run completed"]


def test_many_threads_may_report() -> None:
    stream = io.StringIO()
    ctx = RuntimeContext(ConsoleLogger(stream=stream))

    def work(name: str) -> None:
        for number in range(50):
            ctx.log_message(f"{name} {number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(plain(stream.getvalue())) == sorted(
        f"INFO     {name} {number}" for name in "abcd" for number in range(50)
    )


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_a_stream_that_is_closed_does_not_hurt_the_plugin(
    stream: IO[str] | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", None if stream is None else gone)

    with RuntimeContext(ConsoleLogger()) as ctx:
        ctx.log_message("hello")

    assert len(caplog.records) == (0 if stream is None else 1)
