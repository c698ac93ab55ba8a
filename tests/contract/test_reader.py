"""`JobStream`: reading by position, following live, what cannot be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.events.types import Metrics, Undecodable, UnknownEvent
from synapse_stream.reading.stream import JobStream
from synapse_stream.settings import Settings
from tests.support.chains import Chain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.events.types import RecordedEvent
    from synapse_stream.log.event_log import EventLog
    from tests.support.servers import TestServer


def append(log: EventLog, chain: Chain, *events: dict[str, Any]) -> None:
    log.append(chain.add(*events))


def numbers(recorded: Iterator[RecordedEvent] | list[RecordedEvent]) -> list[int]:
    return [found.event.seq for found in recorded]


@pytest.fixture
def job(settings: Settings) -> JobStream:
    return JobStream("job-1", settings)


def test_reading_gives_every_event_with_position_and_producer(
    log: EventLog, job: JobStream
) -> None:
    chain = Chain()
    append(log, chain, {}, {"type": "metrics", "values": {"loss": 0.5}})
    append(log, chain, {"type": "of-tomorrow", "v": 7, "colour": "blue"})

    first, second, third = job.read()

    assert [found.producer for found in (first, second, third)] == ["producer-1"] * 3
    assert [found.position.index for found in (first, second, third)] == [0, 1, 0]
    assert first.position < second.position < third.position
    assert isinstance(second.event, Metrics)
    assert second.event.values == {"loss": 0.5}
    assert isinstance(third.event, UnknownEvent)


def test_an_unknown_job_is_empty(settings: Settings) -> None:
    assert list(JobStream("nobody", settings).read()) == []


def test_reading_is_exclusive_after_and_inclusive_until(log: EventLog, job: JobStream) -> None:
    chain = Chain()
    for _ in range(45):  # more than two pages
        append(log, chain, {}, {}, {})
    everything = list(job.read())

    assert numbers(everything) == list(range(135))
    for index in (0, 1, 2, 3, 59, 60, 61, 134):
        at = everything[index].position
        assert numbers(job.read(after=at)) == list(range(index + 1, 135))
        assert numbers(job.read(until=at)) == list(range(index + 1))
        assert list(job.read(after=at, until=at)) == []
    assert list(job.read(after=BEGINNING)) == everything


def test_what_cannot_be_decoded_comes_in_its_place(
    server: TestServer, log: EventLog, job: JobStream
) -> None:
    chain = Chain()
    append(log, chain)
    lines = (
        b'{"seq":1,"time":1,"type":"heartbeat","v":1}\n'
        b'{"seq":2,"ti\n'
        b'{"seq":3,"time":1,"type":"heartbeat","v":1}\n'
    )
    log.append(chain.add_data(lines, 3))
    with server.client() as client:
        client.xadd(log.keys.job("job-1"), {"p": "producer-9", "n": "x"})
    append(log, chain)

    found = list(job.read())

    assert [(f.event.type, f.event.seq) for f in found] == [
        ("heartbeat", 0),
        ("heartbeat", 1),
        ("undecodable", 2),
        ("heartbeat", 3),
        ("undecodable", -1),
        ("heartbeat", 4),
    ]
    line, entry = found[2].event, found[4].event
    assert isinstance(line, Undecodable)
    assert line.raw == b'{"seq":2,"ti'
    assert isinstance(entry, Undecodable)
    assert entry.raw == b"p=producer-9 n=x"
    assert (found[4].producer, found[4].position.index) == ("producer-9", 0)


def test_a_batch_whose_lines_are_not_its_numbers_is_undecodable_as_a_whole(
    log: EventLog, job: JobStream
) -> None:
    chain = Chain()
    log.append(chain.add_data(b'{"seq":0,"time":1,"type":"heartbeat","v":1}\n', 2))
    append(log, chain)

    bad, good = job.read()

    assert isinstance(bad.event, Undecodable)
    assert bad.event.reason == "1 lines for the numbers 0 to 1"
    assert good.event.seq == 2


def test_a_loss_stands_for_the_whole_range_of_its_batch(log: EventLog, job: JobStream) -> None:
    chain = Chain()
    loss = (
        b'{"seq":9,"time":1,"type":"loss","v":1,'
        b'"counts":{"metrics":10},"first":0,"last":9,"reason":"gone"}\n'
    )
    log.append(chain.add_data(loss, 10))
    append(log, chain)

    assert [(f.event.type, f.event.seq) for f in job.read()] == [("loss", 9), ("heartbeat", 10)]


def test_other_settings_than_the_deployment_s_are_refused(
    log: EventLog, settings: Settings
) -> None:
    log.check()
    other = settings.model_copy(update={"partitions": 3})

    with pytest.raises(ConfigError, match="has 16 partitions"):
        next(JobStream("job-1", other).read())


def test_a_server_that_is_away_from_the_start_is_an_error(tmp_path: Path) -> None:
    job = JobStream("job-1", Settings(redis_url="redis://127.0.0.1:1", data_dir=tmp_path))

    for events in (job.read(), job.tail()):
        with pytest.raises(LogUnavailable, match="cannot be reached"):
            next(events)


def test_positions_of_the_whole_id_range_are_read(server: TestServer, log: EventLog) -> None:
    largest = 2**64 - 1
    with server.client() as client:
        client.xadd(log.keys.job("job-1"), {"p": "x"}, id=f"{largest}-{largest - 1}")

    (found,) = JobStream("job-1", log=log).read()

    assert found.position == Position(largest, largest - 1)
