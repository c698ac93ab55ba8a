from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.run_state.fold import RunStateView
from tests.support.chains import Chain
from tests.support.events import ended, message, started
from tests.support.projecting import Consumers, project
from tests.support.servers import wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

STARTED = started()
END = ended()


@pytest.fixture
def recorded(log: EventLog, settings: Settings) -> None:
    """Have a job that says something of each kind."""
    chain = Chain("job-1")
    log.append(
        chain.add(
            STARTED,
            message("[bold]hi[/bold] \x1b[31mred\x07\nsecond line", "warning"),
            message("한국어", step="fit"),
            {"type": "dev_event", "message": "memory", "data": {"peak": {"$float": "NaN"}}},
            {"type": "log", "event": "saved", "data": {}, "file": "a.pt", "level": "success"},
            message("3 left", template={"en": "{n} left", "ko": "{n}개 남음"}, params={"n": 3}),
        )
    )
    other = Chain("job-1", "p1")
    log.append(other.add({**STARTED, "rank": 1}, message("from the second", "danger")))
    project(settings)


def texts(said: Said) -> list[str]:
    return [line.split("  ", 1)[1].strip() for line in said.lines]


@pytest.mark.usefixtures("recorded")
def test_messages_are_lines_in_order_without_anything_that_drives_a_terminal(
    command: Callable[..., Said],
) -> None:
    said = command("messages", "job-1")

    assert said.code == 0, said
    assert texts(said) == [
        "warning   [bold]hi[/bold] red second line",
        "info      fit: 한국어",
        "info      3 left",
        "danger    rank 1: from the second",
    ]
    assert "\x1b" not in said.out


@pytest.mark.usefixtures("recorded")
def test_dev_events_and_log_entries_are_shown_when_asked_for(
    command: Callable[..., Said],
) -> None:
    shown = texts(command("messages", "job-1", "--dev"))

    assert shown[2] == 'debug     dev_event memory {"peak":{"$float":"NaN"}}'
    assert shown[3] == "success   log saved {} (a.pt)"


@pytest.mark.usefixtures("recorded")
def test_levels_can_be_chosen(command: Callable[..., Said]) -> None:
    said = command("messages", "job-1", "--level", "danger", "--level", "warning", "--json")

    assert [found["level"] for found in said.objects] == ["warning", "danger"]
    assert command("messages", "job-1", "--level", "loud").code == 2


@pytest.mark.usefixtures("recorded")
def test_a_message_from_a_template_comes_in_the_language_asked_for(
    command: Callable[..., Said],
) -> None:
    assert "3개 남음" in command("messages", "job-1", "--lang", "ko-KR").out


@pytest.mark.usefixtures("recorded")
def test_as_json_a_message_is_told_whole(command: Callable[..., Said]) -> None:
    found = command("messages", "job-1", "--dev", "--json").objects

    assert [line["kind"] for line in found].count("message") == 4
    assert found[0]["content"] == "[bold]hi[/bold] \x1b[31mred\x07\nsecond line"
    assert found[2]["data"] == {"peak": {"$float": "NaN"}}
    assert found[4]["params"] == {"n": 3}
    assert (found[5]["rank"], found[5]["attempt"]) == (1, 1)
    assert all(line["position"].count("-") == 1 for line in found)


@pytest.mark.usefixtures("recorded")
def test_a_job_without_messages_is_a_no(command: Callable[..., Said]) -> None:
    said = command("messages", "job-2")
    none_such = command("messages", "job-1", "--level", "critical")

    near = "did you mean 'job-1'?"
    assert said == (1, "", f"synapse-stream: job 'job-2' has no messages; {near}\n")
    assert none_such == (1, "", "synapse-stream: job 'job-1' has no such messages\n")


def test_a_feed_of_several_pages_is_printed_whole(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    log.append(Chain("job-1").add(*(message(f"{number}") for number in range(1_001))))
    project(settings)

    found = command("messages", "job-1", "--json").objects

    assert [line["content"] for line in found] == [f"{number}" for number in range(1_001)]


def test_following_shows_what_is_said_and_ends_with_the_run(
    process: Callable[..., subprocess.Popen[bytes]], log: EventLog, settings: Settings
) -> None:
    chain = Chain("job-1")
    with Consumers(settings):
        log.append(chain.add(STARTED, message("first")))
        following = process("messages", "job-1", "-f")
        assert following.stdout is not None
        first = following.stdout.readline()
        log.append(chain.add(message("second")))
        second = following.stdout.readline()
        log.append(chain.add(message("last"), END))
        rest, err = following.communicate(timeout=30)

    assert b"first" in first
    assert b"second" in second
    assert rest.count(b"\n") == 1
    assert b"last" in rest
    assert (following.returncode, err) == (0, b"")


def test_following_waits_for_a_feed_that_is_behind_the_run_state(
    process: Callable[..., subprocess.Popen[bytes]], log: EventLog, settings: Settings
) -> None:
    chain = Chain("job-1")
    log.append(chain.add(STARTED, message("first")))
    project(settings)
    log.append(chain.add(message("last"), END))
    with Consumers(settings, [RunStateView]) as consumers:
        consumers.catch_up()
    following = process("messages", "job-1", "-f")
    assert following.stdout is not None
    first = following.stdout.readline()
    with Consumers(settings, [MessageFeedView]):
        rest, err = following.communicate(timeout=30)

    assert b"first" in first
    assert b"last" in rest
    assert (following.returncode, err) == (0, b"")


def test_ctrl_c_ends_following_without_a_traceback(
    process: Callable[..., subprocess.Popen[bytes]], log: EventLog, settings: Settings
) -> None:
    log.append(Chain("job-1").add(STARTED, message("first")))
    project(settings)
    following = process("messages", "job-1", "-f")
    assert following.stdout is not None
    following.stdout.readline()

    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=30)

    assert (following.returncode, err) == (130, b"")


def test_a_reader_that_leaves_early_is_no_error(
    process: Callable[..., subprocess.Popen[bytes]], log: EventLog, settings: Settings
) -> None:
    log.append(Chain("job-1").add(*(message("word " * 40) for _ in range(2_000))))
    project(settings)
    printing = process("messages", "job-1")
    assert printing.stdout is not None
    assert printing.stderr is not None

    printing.stdout.readline()
    printing.stdout.close()

    assert printing.stderr.read() == b""
    assert wait_until(lambda: printing.poll() is not None)
    printing.stderr.close()
