from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from consumers.folding.fold import JobFold
from consumers.views.run_state import reading
from consumers.views.run_state.fold import RunStateView
from synapse_stream.cli.read.replay import _before, _Pace
from synapse_stream.entries.batch import GENESIS
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.log.event_log import open_log
from synapse_stream.reading.stream import JobStream
from tests.support.chains import Chain
from tests.support.raw import client_of
from tests.support.servers import TestServer, wait_until
from tests.support.stories import taken

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.ports.views import RunState
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

BELL = "\x1b]0;title\x07"
TIME = 1_763_880_000_000_000


def started(rank: int) -> dict[str, Any]:
    return {"type": "run_started", "rank": rank, "host": "h", "pid": 1, "labels": {"who": "me"}}


def said(number: int) -> dict[str, Any]:
    return {"type": "message", "content": f"{BELL}said {number}", "level": "info"}


def progress(number: int) -> dict[str, Any]:
    return {"type": "progress", "step": "train", "current": number, "total": 10}


@pytest.fixture
def job(log: EventLog) -> str:
    """Record a run of two ranks in two attempts, with a line that cannot be read, and a stray."""
    chains = [Chain("job-1", f"producer-{rank}") for rank in range(2)]
    for rank, chain in enumerate(chains):
        log.append(chain.add(started(rank), said(1)))
        log.append(chain.add(progress(3), said(2), progress(7)))
    log.append(chains[1].add_data(b"no json\n", 1))
    client_of(log).execute_command("XADD", log.keys.job("job-1"), "*", "no", "batch")
    log.append(chains[0].add({"type": "end", "status": "failed", "error": BELL, "count": 6}))
    again = Chain("job-1", "producer-2")
    log.append(again.add(started(0), {"type": "metrics", "values": {"loss": 0.5}}))
    log.append(again.add({"type": "end", "status": "completed", "count": 3, "rank": 0}))
    return "job-1"


def entries(log: EventLog, job: str) -> list[RecordedBatch]:
    return log.read_after(job, BEGINNING, limit=1_000)


def lines(log: EventLog, job: str) -> list[bytes]:
    return [line for entry in entries(log, job) if entry.batch for line in entry.batch.lines()]


def state(log: EventLog, job: str) -> RunState:
    fold = JobFold(RunStateView, job, None)
    for entry in entries(log, job):
        fold.apply(entry)
    found = reading.run_state(job, fold.document())
    assert found is not None
    return found


def check_chains(found: list[RecordedBatch]) -> dict[str, int]:
    """Return the last number of every producer, whose batches must be linked."""
    heads: dict[str, tuple[int, bytes]] = {}
    for entry in found:
        assert entry.batch is not None
        last, link = heads.get(entry.batch.producer, (-1, GENESIS))
        assert entry.batch.first == last + 1
        assert entry.batch.is_linked_to(link)
        heads[entry.batch.producer] = entry.batch.last, entry.batch.hash
    return {producer: last for producer, (last, _) in heads.items()}


def test_on_the_terminal_it_is_shown_as_it_was_reported(
    command: Callable[..., Said], job: str
) -> None:
    shown = command("replay", job, "--speed", "max")

    assert shown.code == 0, shown.err
    assert "said 1" in shown.out
    assert "train 3/10" in shown.out
    assert "train (rank 1) 7/10" in shown.out
    assert "undecodable: " in shown.out
    assert "job-1 failed" in shown.out
    assert shown.lines[-1].endswith("job-1 completed")
    assert "\x1b" not in shown.out
    assert "\x07" not in shown.out


def test_a_part_begins_and_ends_with_the_positions_named(
    command: Callable[..., Said], job: str, settings: Settings
) -> None:
    places = [found.position for found in JobStream(job, settings).read()]
    options = ("--speed", "max", "--from", str(places[1]), "--until", str(places[3]))

    shown = command("replay", job, *options)

    assert [line.split()[1] for line in shown.lines] == ["INFO", "progress", "INFO"]
    for place in places:
        assert next(iter(JobStream(job, settings).read(_before(place)))).position == place
    assert _before(Position(5, 0)) < Position(5, 0)


def test_it_waits_as_long_as_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=lambda: 100.0)
    monkeypatch.setattr("synapse_stream.cli.read.replay.time", clock)
    pace = _Pace(2.0)
    ms = TIME // 1000

    for seconds in (0, 4, 3, 6):
        pace.wait(ms + 60_000, TIME + seconds * 1_000_000)
    pace.wait(ms + 8_000, 2**62)
    pace.wait(ms + 10_000, 1)

    assert slept == pytest.approx([0, 2, 1.5, 3, 4, 5])


def test_a_job_gets_the_same_lines_from_new_producers(
    command: Callable[..., Said], job: str, log: EventLog
) -> None:
    done = command("replay", job, "--to", "copy")

    assert done.code == 0, done.err
    assert "15 of 15 events are new there; 1 entries that are no batch are left out" in done.err
    assert sorted(check_chains(entries(log, "copy")).values()) == [2, 5, 5]
    producers = {entry.batch.producer for entry in entries(log, job) if entry.batch}
    assert not producers & {entry.batch.producer for entry in entries(log, "copy") if entry.batch}
    for mine, own in zip(lines(log, "copy"), lines(log, job), strict=True):
        if b"run_started" not in own:
            assert mine == own
            continue
        event = orjson.loads(own)
        event["labels"]["replay_of"] = job
        assert orjson.loads(mine) == event
    was, now = state(log, job), state(log, "copy")
    for before, after in zip(was.attempts, now.attempts, strict=True):
        assert after.labels == {"who": "me", "replay_of": job}
        for name in ("number", "status", "counts", "first_time", "ended", "steps", "error"):
            assert getattr(after, name) == getattr(before, name)
        assert [rank.rank for rank in after.ranks] == [rank.rank for rank in before.ranks]


def test_producers_that_name_one_another_are_twins_that_do(
    command: Callable[..., Said], log: EventLog
) -> None:
    taken(log, "job-1")

    done = command("replay", "job-1", "--to", "copy")

    assert done.code == 0, done.err
    was, now = state(log, "job-1"), state(log, "copy")
    names = {entry.batch.producer for entry in entries(log, "copy") if entry.batch}
    assert [attempt.counts for attempt in now.attempts] == [a.counts for a in was.attempts]
    assert now.latest.status == was.latest.status
    assert {now.latest.resumed[0].producer, now.latest.resumed[0].heir} <= names
    assert now.latest.completeness.waiting_count == was.latest.completeness.waiting_count == 1
    assert now.latest.completeness.missing == {}


def test_a_part_has_where_its_processes_belong(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    taken(log, "job-1")
    found = list(JobStream("job-1", settings).read())
    begin = next(one for one in found if one.event.type == "dev_event")

    done = command("replay", "job-1", "--to", "copy", "--from", str(begin.position))

    assert done.code == 0, done.err
    copied = state(log, "copy")
    assert [(a.number, a.status, len(a.resumed)) for a in copied.attempts] == [
        (2, "completed", 1),
        (1, "running", 0),
    ]


def test_a_part_keeps_numbers_and_says_what_is_lacking(
    command: Callable[..., Said], job: str, log: EventLog, settings: Settings
) -> None:
    found = list(JobStream(job, settings).read())
    begin = next(f for f in found if f.event.seq == 3 and f.producer == "producer-1")

    done = command("replay", job, "--to", "copy", "--from", str(begin.position))

    assert done.code == 0, done.err
    assert sorted(check_chains(entries(log, "copy")).values()) == [2, 5, 5]
    copied = state(log, "copy")
    assert [attempt.number for attempt in copied.attempts] == [2, 1]
    missing = copied.attempts[1].completeness.missing
    assert sorted(map(list, missing.values())) == [[(1, 2)], [(1, 4)]]
    kept = [orjson.loads(line) for line in lines(log, "copy") if line != b"no json"]
    assert [event["seq"] for event in kept if event["type"] == "message"] == [3]


def test_a_replay_that_broke_off_goes_on_when_it_is_repeated(
    command: Callable[..., Said],
    process: Callable[..., subprocess.Popen[bytes]],
    log: EventLog,
) -> None:
    chain = Chain("job-1")
    hour = 3_600_000_000
    begin = time.time_ns() // 1000 - 2 * hour  # what is much older is not believed
    log.append(chain.add({**started(0), "time": begin}))
    for number in range(400):
        pause = 0 if number < 20 else hour
        log.append(chain.add({**said(number), "time": begin + number + pause}))
    with process("replay", "job-1", "--to", "copy", "--speed", "1") as running:
        wait_until(lambda: len(entries(log, "copy")) == 21)
        running.kill()

    again = command("replay", "job-1", "--to", "copy")
    third = command("replay", "job-1", "--to", "copy")

    assert "380 of 401 events are new" in again.err
    assert "0 of 401 events are new" in third.err
    assert list(check_chains(entries(log, "copy")).values()) == [400]
    assert lines(log, "copy")[1:] == lines(log, "job-1")[1:]


def test_it_goes_to_another_server(
    command: Callable[..., Said], job: str, log: EventLog, settings: Settings, tmp_path: Path
) -> None:
    with TestServer(tmp_path / "other") as other:
        done = command("replay", job, "--to", job, "--redis-url", other.url)
        there = open_log(settings.model_copy(update={"redis_url": other.url}))
        copied = lines(there, job)
        there.close()

    assert done.code == 0, done.err
    assert len(copied) == len(lines(log, job))


def test_what_cannot_be_is_said(command: Callable[..., Said], job: str, log: EventLog) -> None:
    log.append(Chain("taken").add(started(0)))

    taken = command("replay", job, "--to", "taken")
    assert (taken.code, len(entries(log, "taken"))) == (1, 1)
    assert "there is a job 'taken' already" in taken.err
    for wrong, why in (
        (("--to", job), "into itself"),
        (("--speed", "0"), "expected a number"),
        (("--speed", "nan"), "expected a number"),
        (("--from", "x"), "neither a position nor a time"),
        (("--redis-url", "redis://x"), "there is no --to"),
    ):
        answer = command("replay", job, *wrong)
        assert (answer.code, why in answer.err) == (2, True), answer
    assert command("replay", "nobody").code == 1
    assert command("replay", "nobody", "--to", "copy").code == 1
