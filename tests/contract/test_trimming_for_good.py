"""What is trimmed for good leaves the server's memory and files, and nothing else changes."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.entries.position import BEGINNING
from synapse_stream.log.event_log import open_log
from synapse_stream.log.trimming import TrimLog
from synapse_stream.settings import Settings
from tests.support import events
from tests.support.chains import Chain
from tests.support.raw import client_of
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synapse_stream.entries.entry import EntryId

CANARY = "canary-7f3a, born in Ghent"
JOB = "job-1"


@pytest.fixture(params=["yes", "no"], ids=["rdb", "commands"])
def plain(request: pytest.FixtureRequest, binary: str, tmp_path: Path) -> Iterator[TestServer]:
    """Start a server that compresses nothing; its file begins in either of the two forms."""
    config = {"rdbcompression": "no", "aof-use-rdb-preamble": request.param}
    with TestServer(tmp_path / "plain", binary=binary, config=config) as running:
        yield running


def opened(server: TestServer, tmp_path: Path) -> TrimLog:
    log = TrimLog.open(Settings(redis_url=server.url, data_dir=tmp_path))
    log.check()
    return log


def report(log: TrimLog, chain: Chain, count: int) -> EntryId:
    """Have a run of so many entries behind one that tells of a person; return the id of that."""
    log.append(chain.add(events.message("begins"), events.message(CANARY)))
    for _ in range(count):
        log.append(chain.add())
    ms, seq, *_ = log.read_after(JOB, BEGINNING)[0]
    return ms, seq


def where(server: TestServer, log: TrimLog) -> list[str]:
    """Name what has the canary: the stream in memory, files."""
    dump = client_of(log).execute_command("DUMP", log.keys.job(JOB))
    paths = [path for path in server.home.rglob("*") if path.is_file()]
    found = [path.suffix for path in paths if CANARY.encode() in path.read_bytes()]
    return [*(["memory"] if CANARY.encode() in dump else []), *found]


def hashes(log: TrimLog) -> list[bytes]:
    found = log.read_after(JOB, BEGINNING, limit=100_000)
    return [entry.batch.hash for entry in found if entry.batch is not None]


def told(log: TrimLog) -> dict[bytes, Any]:
    """Return what readers go by."""
    info = log.stream_info(log.keys.job(JOB))
    assert info is not None
    names = (b"length", b"last-generated-id", b"entries-added", b"max-deleted-entry-id")
    return {name: info[name] for name in (*names, b"first-entry", b"last-entry")}


@pytest.mark.parametrize("count", [1, 20, 50])
def test_memory_and_files_are_without_it_and_the_rest_is_as_it_was(
    plain: TestServer, tmp_path: Path, count: int
) -> None:
    with closing(opened(plain, tmp_path)) as log:
        chain, key = Chain(JOB), log.keys.job(JOB)
        upto = report(log, chain, count)
        stray = client_of(log).execute_command("XADD", key, "*", "odd", "thing")
        client_of(log).execute_command("XDEL", key, stray)
        there, before = where(plain, log), told(log)
        log.trim_job_for_good(JOB, upto)
        assert log.rewrite_file(30) is None

        assert {"memory", ".aof"} <= {*there}
        wait_until(lambda: where(plain, log) == [])  # old files go in the background
        assert hashes(log) == [batch.hash for batch in chain.batches[1:]]
        after = told(log)
        assert after.pop(b"length") == before.pop(b"length") - 1 == count
        assert after.pop(b"first-entry") != before.pop(b"first-entry")
        assert after == before
        assert client_of(log).execute_command("EXISTS", log.keys.anew(JOB)) == 0
        assert log.append(chain.add()).last == chain.last


def test_who_appends_meanwhile_loses_nothing(server: TestServer, tmp_path: Path) -> None:
    server.command("FLUSHALL")
    settings = Settings(redis_url=server.url, data_dir=tmp_path)
    with closing(opened(server, tmp_path)) as log:
        chain = Chain(JOB)
        upto = report(log, chain, 200)
        is_over = threading.Event()

        def go_on() -> None:
            with closing(open_log(settings)) as mine:
                while not is_over.is_set():
                    mine.append(chain.add())

        producer = threading.Thread(target=go_on)
        producer.start()
        try:
            for _ in range(20):
                written = len(chain.batches)
                log.trim_job_for_good(JOB, upto)
                wait_until(lambda at=written: len(chain.batches) > at + 5)  # type: ignore[misc]
        finally:
            is_over.set()
            producer.join()

        assert hashes(log) == [batch.hash for batch in chain.batches[1:]]


def on_step(
    log: TrimLog, number: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have something done before the step of that number, of those that copy."""
    command, steps = log._command, iter(range(1_000))

    def counted(doing: str, *words: Any) -> Any:
        if log.keys.anew(JOB) in words and next(steps) == number:
            act()
        return command(doing, *words)

    monkeypatch.setattr(log, "_command", counted)


@pytest.mark.parametrize("what", ["trimmed", "dropped", "founded anew", "its newest gone"])
def test_a_copy_of_what_is_no_more_is_begun_anew(
    server: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    server.command("FLUSHALL")
    with closing(opened(server, tmp_path)) as log:
        chain, key = Chain(JOB), log.keys.job(JOB)
        upto = report(log, chain, 50)
        ids = [f"{entry.ms}-{entry.seq}" for entry in log.read_after(JOB, BEGINNING)]
        stays = {"trimmed": chain.batches[36:], "its newest gone": chain.batches[1:]}.get(what, [])

        def happen() -> None:
            if what == "trimmed":
                server.command("XTRIM", key, "MAXLEN", len(stays))
            elif what == "its newest gone":
                server.command("XDEL", key, ids[40])
                stays.remove(chain.batches[40])
            else:
                server.command("UNLINK", key)
            if what == "founded anew":
                log.append(chain.add())
                stays.append(chain.batches[-1])

        on_step(log, 2, happen, monkeypatch)  # 40 of 50 are copied
        log.trim_job_for_good(JOB, upto)

        assert hashes(log) == [batch.hash for batch in stays]
        assert server.command("EXISTS", log.keys.anew(JOB)) == 0
