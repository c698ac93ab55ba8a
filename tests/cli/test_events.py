from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from synapse_stream.loggers.stream import StreamLogger
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from synapse_stream.settings import Settings
    from tests.support.commands import Said


@pytest.fixture
def logger(settings: Settings) -> StreamLogger:
    patient = {"spool_memory_bytes": 0, "exit_wait_seconds": 30}
    return StreamLogger("job-1", settings.model_copy(update=patient))


@pytest.fixture
def finished(logger: StreamLogger) -> None:
    logger.log_message("[bold]hi[/bold] \x1b[31mred\x07\nsecond line", "warning")
    logger.set_progress(1, 4, step="training")
    logger.set_metrics({"loss": 0.5, "bad": float("nan")}, step="training", x=3)
    logger.log("checkpoint", {"epoch": 1}, file="model.pt")
    logger.set_progress_failed("training", error="out of memory")
    logger.end_log()


@pytest.mark.usefixtures("finished")
def test_every_event_is_one_line_in_the_order_of_the_stream(command: Callable[..., Said]) -> None:
    said = command("events", "job-1")

    assert said.code == 0, said
    kinds = [line.split()[3] for line in said.lines]
    assert kinds == ["message", "progress", "metrics", "log", "progress", "end"]
    assert said.lines[0].endswith("[warning] [bold]hi[/bold] red second line")
    assert said.lines[1].endswith("training      1/4 (25%)")
    assert said.lines[2].endswith("loss=0.5 bad=nan at 3")
    assert said.lines[3].endswith('event=checkpoint data={"epoch":1} file=model.pt level=info')
    assert said.lines[4].endswith("failed=True error=out of memory")
    assert "\x1b" not in said.out


@pytest.mark.usefixtures("finished")
def test_as_json_every_line_holds_position_producer_and_the_event_itself(
    command: Callable[..., Said],
) -> None:
    found = command("events", "job-1", "--json").objects

    assert [entry["event"]["seq"] for entry in found] == [0, 1, 2, 3, 4, 5]
    assert len({entry["producer"] for entry in found}) == 1
    assert len({entry["position"] for entry in found}) == 6
    assert found[2]["event"]["values"] == {"loss": 0.5, "bad": "NaN"}


@pytest.mark.usefixtures("finished")
def test_one_type_can_be_asked_for(command: Callable[..., Said]) -> None:
    said = command("events", "job-1", "--type", "progress", "--json")

    assert said.code == 0
    assert [entry["event"]["type"] for entry in said.objects] == ["progress", "progress"]


@pytest.mark.usefixtures("finished")
def test_a_type_that_is_not_there_is_a_no_that_names_those_that_are(
    command: Callable[..., Said],
) -> None:
    said = command("events", "job-1", "--type", "metric")

    assert said.code == 1
    assert said.out == ""
    assert "no event of type 'metric'; it has end, log, message, metrics, progress" in said.err


def test_a_job_without_events_is_a_no(command: Callable[..., Said]) -> None:
    said = command("events", "job-2")

    assert (said.code, said.out) == (1, "")
    assert said.err == "synapse-stream: job 'job-2' has no events\n"


def test_without_a_server_one_line_says_so(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", f"redis://127.0.0.1:{free_port()}")

    said = command("events", "job-1")

    assert said.code == 1
    assert said.err.startswith("synapse-stream: ")
    assert said.err.count("\n") == 1


def test_following_shows_what_is_reported_and_ends_with_the_run(
    process: Callable[..., subprocess.Popen[bytes]], logger: StreamLogger
) -> None:
    logger.log_message("first")
    following = process("events", "job-1", "-f")
    assert following.stdout is not None
    first = following.stdout.readline()
    logger.log_message("second")
    second = following.stdout.readline()
    logger.end_log()
    rest, err = following.communicate(timeout=30)

    assert b"first" in first
    assert b"second" in second
    assert b"status=completed" in rest
    assert (following.returncode, err) == (0, b"")


def test_ctrl_c_ends_following_without_a_traceback(
    process: Callable[..., subprocess.Popen[bytes]], logger: StreamLogger
) -> None:
    logger.log_message("first")
    following = process("events", "job-1", "-f")
    assert following.stdout is not None
    following.stdout.readline()

    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=30)
    logger.end_log()

    assert (following.returncode, err) == (130, b"")


def test_a_reader_that_leaves_early_is_no_error(
    process: Callable[..., subprocess.Popen[bytes]], logger: StreamLogger
) -> None:
    for number in range(5_000):
        logger.log_message(f"message {number}")
    logger.end_log()
    printing = process("events", "job-1")
    assert printing.stdout is not None
    assert printing.stderr is not None

    printing.stdout.readline()
    printing.stdout.close()

    assert printing.stderr.read() == b""
    assert wait_until(lambda: printing.poll() is not None)
    printing.stderr.close()
