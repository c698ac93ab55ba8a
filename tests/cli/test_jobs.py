from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from synapse_stream.log.event_log import open_log
from synapse_stream.reading.stream import JobStream
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

HOSTILE = "\x1b]0;title\x07[bold]train[/bold]\x1b[31m\ncount"
STARTED = {"type": "run_started", "rank": 0, "action": "train", "params": {"epochs": 3}}
TIME = 1_763_880_000_000_000


def progress(current: float, total: float, step: str, second: int) -> dict[str, Any]:
    report = {"type": "progress", "current": current, "total": total, "step": step}
    return {**report, "time": TIME + second * 1_000_000}


def ended(status: str, second: int = 20, **fields: Any) -> dict[str, Any]:
    end = {"type": "end", "status": status, "rank": 0, "time": TIME + second * 1_000_000}
    return {**end, **fields}


def append(log: EventLog, job: str, *events: dict[str, Any], producer: str = "p0") -> None:
    log.append(Chain(job, producer).add(*events))


@pytest.fixture
def three(log: EventLog, settings: Settings) -> None:
    """Have one job that goes on, a failed and a completed one."""
    append(log, "job-1", {**STARTED, "action": HOSTILE}, ended("completed"))
    project(settings)  # one by one: jobs of the same millisecond have no order of their own
    append(log, "job-2", STARTED, ended("failed", error="out of memory"))
    project(settings)
    append(log, "job-3", STARTED, progress(1, 4, "fit", 1))
    project(settings)


@pytest.mark.usefixtures("three")
def test_jobs_are_listed_newest_first_with_where_they_stand(command: Callable[..., Said]) -> None:
    said = command("jobs")

    assert said.code == 0, said
    rows = [line.split() for line in said.lines]
    assert rows[0][:4] == ["JOB", "STATUS", "HEALTH", "DONE"]
    assert rows[1][:6] == ["job-3", "running", "alive", "25", "%", "train"]
    assert rows[2][:4] == ["job-2", "failed", "ended", "-"]
    assert rows[2][-3:] == ["out", "of", "memory"]
    assert rows[3][:6] == ["job-1", "completed", "ended", "100", "%", "[bold]train[/bold]"]
    assert rows[3][6] == "count"
    assert "\x1b" not in said.out
    assert rows[1][-3:] == ["1.0", "s", "2"]


@pytest.mark.usefixtures("three")
def test_jobs_can_be_chosen_and_paged(command: Callable[..., Said]) -> None:
    def ids(*arguments: str) -> list[str]:
        return [found["job_id"] for found in command("jobs", "--json", *arguments).objects]

    assert ids() == ["job-3", "job-2", "job-1"]
    assert ids("--status", "failed") == ["job-2"]
    assert ids("--action", "train") == ["job-3", "job-2"]
    assert ids("--search", "b-3") == ["job-3"]
    assert ids("--limit", "2") == ["job-3", "job-2"]
    assert ids("--after", "job-2") == ["job-1"]


@pytest.mark.usefixtures("three")
def test_as_json_a_job_says_what_the_list_shows(command: Callable[..., Said]) -> None:
    (found,) = command("jobs", "--json", "--status", "failed").objects

    assert found["health"] == "ended"
    assert (found["error"], found["events"], found["parked"]) == ("out of memory", 2, 0)
    assert found["duration_seconds"] == 20.0
    assert found["completeness"] == "complete"
    assert found["position"].endswith(".1")


def test_no_job_is_a_no(command: Callable[..., Said]) -> None:
    code, out, err = command("jobs")
    assert (code, out) == (1, "")
    assert re.fullmatch(r"synapse-stream: there are no jobs in /\S+\n", err)
    said = command("jobs", "--status", "failed")
    assert said.err == err.replace("no jobs", "no such jobs")


def test_where_nothing_runs_it_is_said_how_to_find_what_runs(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SYNAPSE_STREAM_REDIS_URL")
    monkeypatch.setenv("SYNAPSE_STREAM_DATA_DIR", str(tmp_path))

    for arguments in (["jobs"], ["show", "job-1"]):
        said = command(*arguments)
        assert said.code == 1
        assert f"in {tmp_path}; no `up` runs there; if one runs elsewhere, set" in said.err


def test_paging_behind_an_unknown_job_is_wrong_use(command: Callable[..., Said]) -> None:
    said = command("jobs", "--after", "job-9")

    assert said.code == 2
    assert "job-9" in said.err


def test_an_unknown_status_is_wrong_use(command: Callable[..., Said]) -> None:
    said = command("jobs", "--status", "asleep")

    assert said.code == 2
    assert "asleep" in said.err


def test_a_job_is_shown_with_its_steps_actions_ranks_and_what_is_missing(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    append(
        log,
        "job-1",
        STARTED,
        progress(0, 10, "fit", 0),
        progress(5, 10, "fit", 5),
        {"type": "progress", "failed": True, "step": "save", "error": "no\x1b[2J space"},
        {"type": "action", "name": "train", "status": "running"},
        {"type": "message", "content": "hi", "level": "warning"},
        {"type": "loss", "first": 6, "last": 6, "counts": {}},
        {"type": "loss", "first": None, "last": None, "counts": {"dev_event": 12}},
        ended("failed", error="[red]bad[/red]", result={"score": {"$float": "NaN"}}),
    )
    append(log, "job-1", {**STARTED, "rank": 1, "host": "node-2", "pid": 7}, producer="p1")
    project(settings)

    said = command("show", "job-1")

    assert said.code == 0, said
    fields = dict(line.split(maxsplit=1) for line in said.lines[:15])
    assert (fields["status"], fields["health"], fields["done"]) == ("failed", "ended", "12.5 %")
    assert (fields["error"], fields["attempt"], fields["took"]) == ("[red]bad[/red]", "1", "20 s")
    assert fields["params"] == '{"epochs": 3}'
    assert fields["result"] == '{"score": {"$float": "NaN"}}'
    assert fields["messages"] == "warning 1"
    assert fields["complete"] == (
        "1 events missing (p0 6-6); 12 events given up (dev_event 12); "
        "1 process has not ended, or not sent all (p1)"
    )
    lines = [" ".join(line.split()) for line in said.lines]
    assert "fit 50 % ██████████░░░░░░░░░░ 5/10 1 5.0 s" in lines
    assert "save 0 % ░░░░░░░░░░░░░░░░░░░░ - - failed no space" in lines
    assert any(line.startswith("train running ") for line in lines)
    assert any(line.startswith("1 running node-2/7 ") for line in lines)
    assert "\x1b" not in said.out


def test_as_json_a_job_is_shown_whole(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    append(log, "job-1", STARTED, ended("completed", result={"loss": {"$float": "Infinity"}}))
    append(log, "job-1", STARTED, producer="p1")
    project(settings)

    (found,) = command("show", "job-1", "--json").objects

    assert (found["status"], found["health"], found["latest"]) == ("running", "alive", 2)
    assert [attempt["number"] for attempt in found["attempts"]] == [2, 1]
    assert found["attempts"][1]["result"] == {"loss": {"$float": "Infinity"}}
    assert found["position"] == str(
        [event.position for event in JobStream("job-1", settings).read()][-1]
    )


def test_a_job_that_is_not_known_is_a_no_that_says_where_to_look(
    command: Callable[..., Said],
) -> None:
    said = command("show", "job-9\x1b[31m")

    assert (said.code, said.out) == (1, "")
    assert "job 'job-9\\x1b[31m' is not known in " in said.err


@pytest.mark.usefixtures("three")
def test_without_a_server_the_views_are_shown_all_the_same(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", f"redis://127.0.0.1:{free_port()}")

    running, finished = command("show", "job-3"), command("show", "job-1")

    assert (running.code, finished.code) == (0, 0)
    assert "health     unknown" in running.out
    assert running.err.startswith("synapse-stream: health is not known: ")
    assert "health     ended" in finished.out
    assert finished.err == ""


def test_a_store_that_cannot_be_read_is_one_line(
    command: Callable[..., Said], settings: Settings
) -> None:
    views = settings.data_dir / "views"
    views.mkdir()
    (views / "run-state.db").write_bytes(b"no database, but a text of some length" * 100)

    said = command("jobs")

    assert (said.code, said.out) == (1, "")
    assert said.err.count("\n") == 1
    assert "run-state.db is damaged" in said.err


def test_a_job_is_shown_as_it_was_at_a_position_or_a_time(
    command: Callable[..., Said], settings: Settings
) -> None:
    chain = Chain("job-1")
    log = open_log(settings)
    entry = log.append(chain.add(STARTED, {"type": "progress", "current": 1, "total": 4})).entry
    log.append(chain.add(ended("completed")))
    log.close()
    assert entry is not None
    first_time = orjson.loads(chain.batches[0].lines()[0])["time"]

    (state,) = command("show", "job-1", "--at", "{}-{}.1".format(*entry), "--json").objects
    (before,) = command("show", "job-1", "--at", str(first_time), "--json").objects

    assert (state["status"], state["health"]) == ("running", "alive")
    assert state["attempts"][0]["overall_percent"] == 25
    assert before["attempts"][0]["steps"] == []
    assert command("show", "job-1", "--at", "1-0").code == 1
    wrong = command("show", "job-1", "--at", "yesterday")
    assert (wrong.code, wrong.out) == (2, "")
    assert "yesterday" in wrong.err


@pytest.fixture
def consumers(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the consumers as their operators do."""
    with (tmp_path / "consumers.log").open("wb") as said:
        running = subprocess.Popen(
            [sys.executable, "-m", "consumers", "all"], env=environment, stderr=said
        )
        yield running
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0


@pytest.mark.usefixtures("consumers")
def test_a_run_is_seen_from_its_beginning_to_its_end(
    command: Callable[..., Said], settings: Settings
) -> None:
    chain = Chain("job-1")
    log = open_log(settings)
    log.append(chain.add(STARTED))
    wait_until(lambda: command("show", "job-1").code == 0)
    (before,) = command("show", "job-1", "--json").objects

    log.append(chain.add(ended("completed")))
    log.close()

    wait_until(lambda: command("show", "job-1", "--json").objects[0]["status"] == "completed")
    assert (before["status"], before["health"]) == ("running", "alive")
