"""`synapse-stream watch`: what it shows, on what, and when it ends."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rich.console import Console

from consumers.errors import StoreUnavailable
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.run_state.fold import RunStateView
from synapse_stream.cli.read.board import Board
from synapse_stream.cli.read.screens import Lines
from synapse_stream.cli.read.watch import _follow
from synapse_stream.cli.read.watching import Look, Watcher
from synapse_stream.models import RunStatus
from synapse_stream.reading.job_views import opened
from tests.support import events
from tests.support.chains import Chain
from tests.support.events import ended, message, started
from tests.support.projecting import Consumers, project
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

STARTED = started()
HOSTILE = "[bold]hi[/bold] \x1b[31mred\x07\nsecond line"


def progress(current: int, total: int = 10, step: str = "fit", **fields: Any) -> dict[str, Any]:
    return events.progress(current, total, step, **fields)


def metrics(loss: float) -> dict[str, Any]:
    return events.metrics({"loss": loss}, step="fit")


def end(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return ended(status, **fields)


class Job:
    """A job whose events are in the views as soon as it has said them."""

    def __init__(self, log: EventLog, settings: Settings, job_id: str = "job-1") -> None:
        self._log, self._settings, self._chain = log, settings, Chain(job_id)

    def say(self, *events: dict[str, Any]) -> None:
        self._log.append(self._chain.add(*events))
        project(self._settings)


@pytest.fixture
def job(log: EventLog, settings: Settings) -> Job:
    return Job(log, settings)


def without_time(line: str) -> str:
    return re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", "", line)


def test_a_run_that_is_over_is_shown_in_lines_with_its_metrics(
    job: Job, command: Callable[..., Said]
) -> None:
    losses = [metrics(loss) for loss in (4.0, 2.0, 1.0)]
    job.say(STARTED, message(HOSTILE), progress(5), *losses, progress(10), end())

    said = command("watch", "job-1")

    assert said.code == 0, said
    assert [without_time(line) for line in said.lines[:2]] == [
        "job-1, attempt 1: train",
        "info      [bold]hi[/bold] red second line",
    ]
    assert re.fullmatch(r"progress  fit 10/10 \(100 %\), \S+/s", without_time(said.lines[2]))
    header, course = (line.split() for line in said.lines[3:5])
    assert header[0] == "METRIC"
    assert course == ["loss", "fit", "0", "1", "3", "1", "4", "1", "█▃▁"]
    assert said.lines[5:] == ["job-1 completed after 0.0 s"]


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (end("failed", error="ValueError: \x1b[1mno\nTraceback"), "failed after 0.0 s: ValueError"),
        (end("cancelled"), "cancelled after 0.0 s"),
        ({"type": "producer_lost", "rank": 0, "reason": "killed"}, "failed after 0.0 s"),
    ],
)
def test_a_run_that_did_not_complete_is_exit_code_1(
    job: Job, command: Callable[..., Said], ending: dict[str, Any], outcome: str
) -> None:
    job.say(STARTED, ending)

    said = command("watch", "job-1")

    assert said.code == 1
    assert said.lines[-1].startswith(f"job-1 {outcome}")
    assert "\x1b" not in said.out


def test_a_run_is_followed_from_before_it_is_known_to_its_end(
    log: EventLog, settings: Settings, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    chain = Chain("job-1")
    with Consumers(settings):
        watching = process("watch", "job-1")
        assert watching.stderr is not None
        assert watching.stdout is not None
        told = watching.stderr.readline()
        assert told.startswith(b"job 'job-1' is not known yet in /")
        assert b"; waiting for it" in told
        log.append(chain.add(STARTED, progress(1)))
        assert watching.stdout.readline() == b"job-1, attempt 1: train\n"
        assert b"fit 1/10 (10 %)" in watching.stdout.readline()
        log.append(chain.add(message("half way")))
        assert b"half way" in watching.stdout.readline()
        log.append(chain.add(progress(5), metrics(1.0)))  # of views that may be ahead of the feed
        assert b"fit 5/10 (50 %)" in watching.stdout.readline()
        log.append(chain.add(end()))
        out, _ = watching.communicate(timeout=50)

    assert watching.returncode == 0
    assert out.splitlines()[-1].startswith(b"job-1 completed after")


def test_ctrl_c_ends_the_watching_and_not_the_run(
    job: Job, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    job.say(STARTED, message("working"))
    watching = process("watch", "job-1")
    assert watching.stdout is not None
    assert any(b"working" in line for line in watching.stdout)

    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=50)

    assert (watching.returncode, err) == (130, b"")


def test_as_json_there_is_an_object_whenever_the_run_stands_differently(
    log: EventLog, settings: Settings, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    chain = Chain("job-1")
    with Consumers(settings):
        log.append(chain.add(STARTED, progress(1)))
        watching = process("watch", "job-1", "--json")
        assert watching.stdout is not None
        first = orjson.loads(watching.stdout.readline())
        log.append(chain.add(progress(10), end()))
        out, err = watching.communicate(timeout=50)
    last = orjson.loads(out.splitlines()[-1])

    assert watching.returncode == 0, err
    shown = ("job_id", "status", "health", "percent")
    assert [first[name] for name in shown] == ["job-1", "running", "alive", 10.0]
    assert [last[name] for name in shown] == ["job-1", "completed", "ended", 100.0]


def drawn(environment: dict[str, str], *arguments: str) -> str:
    """Return what the command writes to a terminal of its own."""
    mine, terminal = os.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while piece := os.read(mine, 65_536):
                shown.extend(piece)
        except OSError:  # Linux says so when the terminal is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    subprocess.run(
        [sys.executable, "-m", "synapse_stream.cli", *arguments],
        env={**environment, "TERM": "xterm-256color", "LINES": "40", "COLUMNS": "120"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        check=True,
    )
    os.close(terminal)
    reader.join()
    os.close(mine)
    return shown.decode()


def test_on_a_terminal_the_job_s_words_neither_style_nor_drive_it(
    job: Job, environment: dict[str, str]
) -> None:
    hostile = {**metrics(1.0), "values": {"[red]loss\x1b[2J": 1.0, "acc": 0.5}}
    job.say({**STARTED, "action": "\x1b]0;title\x07act"}, message(HOSTILE))
    job.say(progress(10, step="[bold]fit\x1b[1A"), hostile, end())

    shown = drawn(environment, "watch", "job-1")

    assert "[bold]hi[/bold] red second line" in shown
    assert "[bold]fit" in shown
    assert "[red]loss" in shown
    assert "\x1b[31mred" not in shown
    assert "\x07" not in shown
    assert "\x1b[2J" not in shown
    assert "━" in shown


def seen(settings: Settings, console: Console) -> Board:
    board = Board(console)
    with opened(settings) as views:
        watcher = Watcher(settings, views, "job-1")
        look = watcher.look()
        assert look is not None
        board.show(look)
        watcher.close()
    board.close()
    return board


@pytest.mark.parametrize(("steps", "pause"), [(3, 0.1), (30, 0.25)])
def test_the_more_there_is_to_draw_the_slower_it_is_drawn(
    job: Job, settings: Settings, steps: int, pause: float
) -> None:
    job.say(STARTED, *(progress(1, step=f"step-{number}") for number in range(steps)))
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=60)

    assert seen(settings, console).pause_seconds == pause


def test_of_more_steps_than_fit_those_are_drawn_that_moved_last(
    job: Job, settings: Settings
) -> None:
    job.say(STARTED, *(progress(1, step=f"step-{number:02}") for number in range(40)), metrics(1))
    job.say(progress(2, step="step-03"))
    file = io.StringIO()

    seen(settings, Console(file=file, force_terminal=True, width=100, height=14))

    names = re.findall(r"step-\d\d", file.getvalue())
    frame = names[: len(set(names))]
    assert frame == ["step-03", *(f"step-{number}" for number in range(32, 40))]
    assert "… 31 more steps" in file.getvalue()
    assert "loss (fit)" in file.getvalue()


def looks(settings: Settings, job: Job, *rounds: list[dict[str, Any]]) -> list[Look]:
    """Look after each round of events."""
    found = []
    with opened(settings) as views:
        watcher = Watcher(settings, views, "job-1")
        for events in rounds:
            job.say(*events)
            look = watcher.look()
            assert look is not None
            found.append(look)
        watcher.close()
    return found


def contents(look: Look) -> list[str]:
    return [found.content for found in look.messages]


def test_of_many_messages_the_last_are_shown_first_and_none_that_comes_is_left_out(
    job: Job, settings: Settings
) -> None:
    texts = [str(number) for number in range(625)]

    first, second = looks(
        settings,
        job,
        [STARTED, *map(message, texts[:25])],
        [message(text) for text in texts[25:]],
    )

    assert (contents(first), first.has_earlier) == (texts[5:25], True)
    assert (contents(second), second.has_earlier) == (texts[25:], False)


def test_a_run_that_begins_to_speak_late_is_heard_from_its_first_word(
    job: Job, settings: Settings
) -> None:
    texts = [str(number) for number in range(30)]

    first, second = looks(settings, job, [STARTED], [message(text) for text in texts])

    assert contents(first) == []
    assert (contents(second), second.has_earlier) == (texts, False)


def test_it_is_over_when_every_view_has_all_of_it(log: EventLog, settings: Settings) -> None:
    log.append(Chain("job-1").add(STARTED, message("last words"), metrics(1.0), end()))
    with opened(settings) as views:
        watcher = Watcher(settings, views, "job-1")
        found = []
        for view in (RunStateView, MessageFeedView, MetricHistoryView):
            with Consumers(settings, [view]) as consumers:
                consumers.catch_up()
            look = watcher.look()
            assert look is not None
            found.append(look)
        watcher.close()

    assert [look.is_over for look in found] == [False, False, True]
    assert [contents(look) for look in found] == [[], ["last words"], []]
    assert [course.summary.key.name for course in found[-1].courses] == ["loss"]


class Unsteady:
    """A watcher whose store goes away for two looks."""

    def __init__(self, last: Look) -> None:
        self._looks: list[Look | StoreUnavailable | None] = [
            None,
            StoreUnavailable("the database is away"),
            StoreUnavailable("the database is away"),
            last,
        ]

    def look(self) -> Look | None:
        found = self._looks.pop(0)
        if isinstance(found, StoreUnavailable):
            raise found
        return found


def test_a_store_that_goes_away_is_waited_for_and_said_once(
    job: Job,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("synapse_stream.cli.read.watch._PATIENCE_SECONDS", 0.01)
    (last,) = looks(settings, job, [STARTED, end("cancelled")])
    watcher: Any = Unsteady(last)

    status = _follow(settings, watcher, Lines(), "job-1")

    assert status is RunStatus.CANCELLED
    assert capsys.readouterr().err.count("reading is interrupted: the database is away") == 1


def test_the_health_of_a_run_is_not_known_while_the_server_is_away(
    job: Job, settings: Settings
) -> None:
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    job.say(STARTED)
    with opened(away) as views:
        watcher = Watcher(away, views, "job-1")
        look = watcher.look()
        watcher.close()

    assert look is not None
    assert look.health is None
    assert wait_until(lambda: looks(settings, job, [message("here")])[0].health) == "alive"
