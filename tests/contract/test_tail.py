"""`JobStream.tail`: following a run live, until it has ended."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.log.event_log import open_log
from synapse_stream.reading.stream import JobStream
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.events import ended, lost, started
from tests.support.servers import WRITES_FIRST, TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.events.types import RecordedEvent
    from synapse_stream.log.event_log import EventLog

STARTED = started()
END = ended(count=1)
LOST = lost(last=3)


class Follower:
    """A tail in a thread, whose events can be awaited."""

    def __init__(self, tail: Iterator[RecordedEvent]) -> None:
        self.seen: deque[RecordedEvent] = deque()
        self._thread = threading.Thread(target=lambda: self.seen.extend(self._kept(tail)))
        self._count = 0
        self._thread.start()

    def wait_for(self, count: int) -> None:
        """Return when `count` events have come."""
        wait_until(lambda: self._count >= count)

    def finish(self) -> list[RecordedEvent]:
        """Return all events after the tail has ended by itself."""
        self._thread.join(30)
        assert not self._thread.is_alive(), f"the tail goes on after {self._count} events"
        return list(self.seen)

    def _kept(self, tail: Iterator[RecordedEvent]) -> Iterator[RecordedEvent]:
        for recorded in tail:
            self._count += 1
            yield recorded


def append(log: EventLog, chain: Chain, *events: dict[str, Any]) -> None:
    log.append(chain.add(*events))


def numbers(recorded: Iterator[RecordedEvent] | list[RecordedEvent]) -> list[int]:
    return [found.event.seq for found in recorded]


@pytest.fixture
def job(settings: Settings) -> JobStream:
    return JobStream("job-1", settings)


@pytest.mark.parametrize("last_word", [END, LOST], ids=["end", "producer_lost"])
def test_a_tail_follows_until_the_run_has_ended(
    log: EventLog, job: JobStream, last_word: dict[str, Any]
) -> None:
    chain = Chain()
    append(log, chain, STARTED, {})
    follower = Follower(job.tail())
    follower.wait_for(2)
    append(log, chain, {})
    follower.wait_for(3)
    append(log, chain, last_word, {})

    assert numbers(follower.finish()) == [0, 1, 2, 3, 4]


def test_a_tail_of_an_ended_run_delivers_what_stands_behind_the_end(
    log: EventLog, job: JobStream
) -> None:
    chain, other = Chain(), Chain(producer="rank-1")
    append(log, chain, STARTED, END)
    for _ in range(50):
        append(log, other, {}, {})

    assert len(list(job.tail())) == 102


@pytest.mark.parametrize(
    "event",
    [END | {"status": None}, END | {"rank": 1}, LOST | {"rank": 1}, LOST | {"rank": None}],
    ids=["a fork leaves", "rank 1 ends", "rank 1 is lost", "a fork is lost"],
)
def test_a_tail_goes_on_when_rank_0_does(
    log: EventLog, job: JobStream, event: dict[str, Any]
) -> None:
    chain = Chain()
    append(log, chain, STARTED, event)
    follower = Follower(job.tail())
    follower.wait_for(2)
    append(log, chain, END)

    assert numbers(follower.finish()) == [0, 1, 2]


def test_a_tail_goes_on_with_the_next_attempt(log: EventLog, job: JobStream) -> None:
    first, second = Chain(), Chain(producer="attempt-2")
    append(log, first, STARTED, END)
    append(log, second, STARTED)
    follower = Follower(job.tail())
    follower.wait_for(3)
    append(log, second, END)

    assert numbers(follower.finish()) == [0, 1, 0, 1]


def test_a_tail_goes_on_with_a_process_that_was_only_taken_for_dead(
    log: EventLog, job: JobStream
) -> None:
    first, heir = Chain(), Chain(producer="heir")
    append(log, first, STARTED, LOST)
    append(
        log,
        heir,
        {"type": "resumed", "producer": "producer-1", "last": 0, "rank": 0, "reason": "r"},
    )
    follower = Follower(job.tail())
    follower.wait_for(3)
    append(log, heir, END)

    assert numbers(follower.finish()) == [0, 1, 0, 1]


def test_a_tail_from_behind_the_end_ends_at_once(log: EventLog, job: JobStream) -> None:
    chain, other = Chain(), Chain(producer="rank-1")
    append(log, chain, STARTED, {}, END)
    append(log, other)
    *_, end, behind = job.read()

    assert list(job.tail(after=behind.position)) == []
    assert [found.producer for found in job.tail(after=end.position)] == ["rank-1"]


def test_a_tail_from_a_position_continues_there(log: EventLog, job: JobStream) -> None:
    chain = Chain()
    append(log, chain, STARTED, {}, {})
    second = next(islice(job.read(), 1, 2))
    follower = Follower(job.tail(after=second.position))
    follower.wait_for(1)
    append(log, chain, END)

    assert numbers(follower.finish()) == [2, 3]


def test_a_tail_survives_the_death_of_the_server(
    tmp_path: Path, binary: str, caplog: pytest.LogCaptureFixture
) -> None:
    with TestServer(tmp_path / "server", binary=binary, config=WRITES_FIRST) as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path)
        log, chain = open_log(settings), Chain()
        append(log, chain, STARTED)
        follower = Follower(JobStream("job-1", settings).tail())
        for count in range(1, 6):
            follower.wait_for(count)
            server.restart()
            wait_until(server.is_answering)
            log.close()
            append(log, chain, {})
        append(log, chain, END)

        assert numbers(follower.finish()) == list(range(7))
        assert "reading is interrupted: the server redis://" in caplog.text
        log.close()


def test_a_tail_repeats_nothing_when_a_lost_tail_is_sent_again(tmp_path: Path, binary: str) -> None:
    with TestServer(tmp_path / "server", binary=binary, config=WRITES_FIRST) as server:
        settings = Settings(redis_url=server.url, data_dir=tmp_path)
        log, chain = open_log(settings), Chain()
        append(log, chain, STARTED)
        server.save_files(tmp_path / "copy")
        append(log, chain, {}, {}, {})
        follower = Follower(JobStream("job-1", settings).tail())
        follower.wait_for(4)
        server.put_back(tmp_path / "copy")
        log.close()

        again = Chain()  # the same events, cut into batches in another way
        again.batches = chain.batches[:1]
        append(log, again, {}, {})
        append(log, again, {}, {}, {})
        append(log, again, END)

        assert numbers(follower.finish()) == list(range(7))
        assert numbers(JobStream("job-1", settings).read()) == list(range(7))
        log.close()


def test_a_tail_that_is_closed_gives_its_connection_back(
    server: TestServer, log: EventLog, job: JobStream
) -> None:
    append(log, Chain(), STARTED)
    log.close()
    tail = job.tail()
    next(tail)
    with server.client() as client:
        assert client.info("clients")["connected_clients"] > 1

        tail.close()  # type: ignore[attr-defined]

        wait_until(lambda: client.info("clients")["connected_clients"] == 1)
