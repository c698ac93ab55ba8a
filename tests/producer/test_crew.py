"""All runs of a process share a thread a server and one for the disk, which nothing ends early."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.entries.answers import Ack, Outcome
from synapse_stream.entries.batch import GENESIS
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.producer.adoption.adopt import adopt_all
from synapse_stream.producer.lane import Lane
from synapse_stream.producer.shipping.shipper import Notes, Shipper
from synapse_stream.producer.spool.segment import Chunk
from synapse_stream.settings import PREFIX, Settings
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from synapse_stream.entries.batch import Batch
    from synapse_stream.errors import ConfigError
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.producer.shipping.port import Log


def threads() -> list[str]:
    return sorted(
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("synapse-stream") and not thread.name.endswith("signals")
    )


def events(settings: Settings, job_id: str) -> list[dict[str, Any]]:
    log = open_log(settings)
    batches = [each.batch for each in log.read_after(job_id, BEGINNING, limit=1000)]
    log.close()
    return [orjson.loads(line) for batch in batches if batch for line in batch.lines()]


def run_program(program: str, settings: Settings) -> None:
    named = {
        PREFIX + name.upper(): str(value)
        for name, value in settings.model_dump(exclude_unset=True).items()
    }
    subprocess.run([sys.executable, "-c", program], env={**os.environ, **named}, check=True)


def test_many_runs_have_two_threads_that_end_with_the_last_of_them(settings: Settings) -> None:
    loggers = [StreamLogger(f"job-{number}", settings) for number in range(30)]
    for number, logger in enumerate(loggers):
        logger.log_message(str(number))
    assert all(logger.flush(30) for logger in loggers)

    assert [name for name in threads() if "adopter" not in name] == [
        "synapse-stream-keeper",
        "synapse-stream-shipper",
    ]
    for logger in loggers:
        logger.end_log()
    wait_until(lambda: not threads())
    for number in range(30):
        assert [each["type"] for each in events(settings, f"job-{number}")] == ["message", "end"]


def test_a_server_that_hangs_keeps_no_run_waiting_that_reports_to_another(
    settings: Settings, tmp_path: Path
) -> None:
    with TestServer(tmp_path / "frozen") as frozen:
        away = Settings(redis_url=frozen.url, data_dir=tmp_path, exit_wait_seconds=0.1)
        hanging, working = StreamLogger("job-1", away), StreamLogger("job-2", settings)
        hanging.log_message("one")
        assert hanging.flush(30)
        frozen.freeze()
        hanging.log_message("two")
        working.log_message("two")

        assert working.flush(30)
        assert not hanging.flush(0.01)
        working.end_log()
        hanging.end_log()
        frozen.thaw()


def test_of_many_runs_that_end_while_their_server_hangs_only_the_first_waits(
    tmp_path: Path,
) -> None:
    with TestServer(tmp_path / "frozen") as frozen:
        settings = Settings(redis_url=frozen.url, data_dir=tmp_path, exit_wait_seconds=2.0)
        loggers = [StreamLogger(f"job-{number}", settings) for number in range(20)]
        for logger in loggers:
            logger.log_message("one")
        assert all(logger.flush(30) for logger in loggers)
        frozen.freeze()
        start = time.monotonic()
        for logger in loggers:
            logger.end_log()
        took = time.monotonic() - start
        frozen.thaw()

    assert took < 20 * 2.0 / 2


def test_a_job_whose_key_is_another_programs_keeps_no_other_job_waiting(
    settings: Settings, log: EventLog
) -> None:
    log.check()
    log._command("spoiling a job", "SET", log.keys.job("job-1"), "text")
    patient = settings.model_copy(update={"exit_wait_seconds": 0.1})
    spoilt, working = StreamLogger("job-1", patient), StreamLogger("job-2", settings)
    for logger in (spoilt, working):
        logger.log_message("one")

    assert working.flush(30)
    assert not spoilt.flush(0.01)
    spoilt.end_log()
    working.end_log()
    assert [each["type"] for each in events(settings, "job-2")] == ["message", "end"]


def test_a_thread_in_which_something_is_raised_goes_on(settings: Settings) -> None:
    """As by a debugger, or by a library that stops threads so."""
    logger = StreamLogger("job-1", settings)
    logger.log_message("one")
    assert logger.flush(30)
    for thread in threading.enumerate():
        if thread.name.startswith("synapse-stream"):
            raised = ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
            assert ctypes.pythonapi.PyThreadState_SetAsyncExc(*raised) == 1

    logger.log_message("two")
    assert logger.flush(30)
    logger.log_message("three")
    logger.end_log()
    assert [each["type"] for each in events(settings, "job-1")] == [*["message"] * 3, "end"]


WITHOUT_THREADS = """
import threading
def refuse(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
from synapse_stream import open_run
with open_run("job-1") as run:
    for number in range(100):
        run.log_message(str(number))
    assert threading.active_count() == 1
"""


def test_without_threads_whoever_waits_for_the_end_sends_it(settings: Settings) -> None:
    run_program(WITHOUT_THREADS, settings)

    found = events(settings, "job-1")
    assert [each["content"] for each in found[1:-1]] == [str(number) for number in range(100)]
    assert (found[-1]["type"], found[-1]["count"]) == ("end", 102)


def test_without_threads_and_server_whoever_comes_next_sends_it(settings: Settings) -> None:
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    run_program(WITHOUT_THREADS, away)

    (adoption,) = adopt_all(settings, lambda: open_log(settings))
    assert (adoption.sent, adoption.waiting, adoption.is_lost) == (102, 0, False)
    assert len(events(settings, "job-1")) == 102


def test_threads_that_could_not_start_are_started_by_a_later_report(settings: Settings) -> None:
    program = """
import threading, time
start, refused = threading.Thread.start, []
def refuse_some(thread):
    if len(refused) < 4 and thread.name.startswith("synapse-stream"):
        refused.append(thread.name)
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = refuse_some
from synapse_stream.loggers.stream import StreamLogger
logger = StreamLogger("job-1")
names = lambda: {thread.name for thread in threading.enumerate()}
while "synapse-stream-shipper" not in names():
    logger.log_message("report")
    time.sleep(0.1)
assert logger.flush(30)
logger.end_log()
"""
    run_program(program, settings)

    assert events(settings, "job-1")[-1]["type"] == "end"


def test_a_run_that_reports_nothing_gives_signs_of_life(settings: Settings) -> None:
    quick = settings.model_copy(update={"heartbeat_seconds": 0.2})
    loggers = [StreamLogger(name, quick) for name in ("job-1", "job-2")]
    loggers[0].log_message("one")

    wait_until(lambda: min(beats(settings, name) for name in ("job-1", "job-2")) >= 3)
    for logger in loggers:
        logger.end_log()


def beats(settings: Settings, job_id: str) -> int:
    return [each["type"] for each in events(settings, job_id)].count("heartbeat")


def test_a_producer_of_which_something_raises_costs_the_others_nothing() -> None:
    class Member:
        def __init__(self, error: Exception | None) -> None:
            self.error, self.taken, self.failed = error, 0, 0

        def due(self, now: float) -> float:
            return now

        hurries = False

        def take(self) -> Batch | None:
            self.taken += 1
            if self.error:
                raise self.error
            return None

        def settle(self, log: Log, ack: Ack | None) -> None:
            assert ack is None

        def fail(self, error: ConfigError | LogUnavailable, now: float) -> None:
            self.failed += 1

    refused = LogUnavailable("one key", is_refusal=True)
    members = [Member(error) for error in (OSError("spool"), KeyError("fault"), refused, None)]
    server: Any = Taking(Ack(Outcome.KNOWN, -1, GENESIS, None))
    lane = Lane(lambda: server)
    lane.members = tuple(members)

    lane.work()

    assert [member.taken for member in members] == [1, 1, 1, 1]
    assert [member.failed for member in members] == [1, 1, 1, 0]


class Lossy:
    """A spool that no longer keeps events 2 to 4."""

    job_id, place = "job-1", "here"

    def read(self, number: int, max_bytes: int) -> Chunk | None:
        lines = b"".join(b'{"seq":%d,"type":"message"}\n' % each for each in range(5, 7))
        return Chunk(5, 6, lines) if number <= 5 else None

    def acknowledge(self, number: int) -> None:
        """Nothing follows from it."""


class Taking:
    """A server that has events 0 and 1 of ours and takes what follows."""

    is_cluster, answer_seconds = False, 0.0

    def __init__(self, head: Ack) -> None:
        self.last = head
        self.batches: list[Batch] = []

    def check(self) -> str:
        return "deployment"

    def heads(self, producers: Sequence[tuple[str, str]]) -> list[Ack]:
        return [self.last for _ in producers]

    def append(self, batch: Batch) -> Ack:
        self.batches.append(batch)
        return Ack(Outcome.APPENDED, batch.last, batch.hash, (1, 1))

    def close(self) -> None:
        """There is no connection."""


def test_the_loss_of_what_is_no_longer_kept_names_exactly_that() -> None:
    server: Any = Taking(Ack(Outcome.KNOWN, 1, b"1" * 32, None))
    shipper = Shipper(Lossy(), "p1", lambda: server)
    shipper.trust((1, b"1" * 32))
    shipper.find_place()

    shipper.ship_all()

    lost, kept = server.batches
    assert (lost.first, lost.last, kept.first, kept.last) == (2, 4, 5, 6)
    (line,) = lost.lines()
    loss = orjson.loads(line)
    assert (loss["type"], loss["seq"], loss["first"], loss["last"]) == ("loss", 4, 2, 4)
    assert loss["counts"] == {"unknown": 3}
    assert kept.is_linked_to(lost.hash)
    assert lost.hash != GENESIS


class Watched(Notes):
    """Notes the heads that are about to be sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def send(self, number: int, link: bytes) -> None:
        self.sent.append((number, link))


def test_the_head_of_a_batch_is_noted_before_the_batch_is_sent() -> None:
    """Else an adopter would take what the server got of a killed process for another's."""
    notes = Watched()

    class Server(Taking):
        def append(self, batch: Batch) -> Ack:
            assert notes.sent[-1] == (batch.last, batch.hash)
            return super().append(batch)

    server: Any = Server(Ack(Outcome.KNOWN, 4, b"1" * 32, None))
    shipper = Shipper(Lossy(), "p1", lambda: server, notes=notes)
    shipper.trust((4, b"1" * 32))

    shipper.ship_all()

    assert len(server.batches) == len(notes.sent) == 1
