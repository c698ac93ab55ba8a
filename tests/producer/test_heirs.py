"""A producer whose name is used by another goes on under a new one, and loses nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from synapse_stream.entries.batch import GENESIS, seal
from synapse_stream.entries.position import BEGINNING
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.producer.shipping.heads import Heads
from synapse_stream.producer.shipping.heir import renumber
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings


def batches(log: EventLog) -> list[Batch]:
    recorded = log.read_after("job-1", BEGINNING, limit=1000)
    assert all(each.batch for each in recorded)
    return [each.batch for each in recorded if each.batch]


def events(log: EventLog, producer: str) -> list[dict[str, Any]]:
    """Return what a producer sent, after checking its chain."""
    link, found = GENESIS, []
    for batch in batches(log):
        if batch.producer == producer:
            assert batch.is_linked_to(link)
            link = batch.hash
            found += [orjson.loads(line) for line in batch.lines()]
    assert [event["seq"] for event in found] == list(range(len(found)))
    return found


def producers(log: EventLog) -> list[str]:
    return list(dict.fromkeys(batch.producer for batch in batches(log)))


def forge(log: EventLog, producer: str, count: int) -> None:
    """Append as somebody else does who uses the name of `producer`."""
    head = log.heads([("job-1", producer)])[0]
    first = head.last + 1
    lines = b"".join(
        b'{"seq":%d,"time":1,"type":"message","v":1,"content":"forged","level":"info"}\n' % number
        for number in range(first, first + count)
    )
    log.append(seal(head.hash, "job-1", producer, first, first + count - 1, lines))


@pytest.mark.parametrize("forged", [1, 3, 50])
def test_what_is_reported_under_a_taken_name_goes_on_under_another(
    settings: Settings, log: EventLog, caplog: pytest.LogCaptureFixture, forged: int
) -> None:
    logger = StreamLogger("job-1", settings)
    for number in range(3):
        logger.log_message(f"before {number}")
    assert logger.flush(30)
    (name,) = producers(log)
    forge(log, name, forged)

    with caplog.at_level(logging.WARNING):
        for number in range(3):
            logger.log_message(f"after {number}")
        assert logger.flush(30)
        logger.log_message("later")
        logger.end_log()

    first, heir = producers(log)
    assert first == name
    resumed, *later = events(log, heir)
    assert (resumed["type"], resumed["producer"], resumed["last"]) == ("resumed", name, 2)
    assert resumed["rank"] == 0
    said = [event.get("content") for event in later]
    assert said == ["after 0", "after 1", "after 2", "later", None]
    assert (later[-1]["type"], later[-1]["count"]) == ("end", 6)
    assert caplog.text.count("another sender uses the name") == 1


def test_a_name_taken_before_the_first_event_arrives_costs_nothing(
    server: TestServer, settings: Settings, log: EventLog
) -> None:
    logger = StreamLogger("job-1", settings)
    assert logger._producer is not None
    forge(log, logger._producer.id, 5)

    logger.log_message("one")
    logger.end_log()

    _, heir = producers(log)
    resumed, message, end = events(log, heir)
    assert (resumed["last"], message["content"], end["count"]) == (-1, "one", 3)


def test_an_heir_whose_name_is_taken_has_an_heir(settings: Settings, log: EventLog) -> None:
    logger = StreamLogger("job-1", settings)
    for text in ("one", "two", "three"):
        logger.log_message(text)
        assert logger.flush(30)
        forge(log, producers(log)[-1], 2)
    logger.end_log()

    names = producers(log)
    said = [[event.get("content") for event in events(log, name)] for name in names]
    assert said == [
        ["one", "forged", "forged"],
        [None, "two", "forged", "forged"],
        [None, "three", "forged", "forged"],
        [None, None],
    ]
    starts = [events(log, name)[0] for name in names[1:]]
    assert [start["producer"] for start in starts] == names[:-1]
    assert [start["last"] for start in starts] == [0, 1, 1]


def test_a_server_that_lost_its_tail_and_then_was_written_to_by_another_gets_it_again(
    server: TestServer, settings: Settings, log: EventLog
) -> None:
    logger = StreamLogger("job-1", settings)
    logger.log_message("one")
    assert logger.flush(30)
    (name,) = producers(log)
    saved = _dump(server)
    logger.log_message("two")
    assert logger.flush(30)
    with server.client() as client:
        client.flushall()
        for key, value in saved.items():
            client.restore(key, 0, value)
    forge(log, name, 4)

    logger.log_message("three")
    logger.end_log()

    _, heir = producers(log)
    resumed, *rest = events(log, heir)
    assert resumed["last"] == 0
    assert [event.get("content") for event in rest] == ["two", "three", None]


def test_a_server_that_lost_its_tail_or_everything_is_refilled_under_the_same_name(
    server: TestServer, settings: Settings, log: EventLog
) -> None:
    logger = StreamLogger("job-1", settings)
    logger.log_message("one")
    assert logger.flush(30)
    saved = _dump(server)
    logger.log_message("two")
    assert logger.flush(30)
    with server.client() as client:
        client.flushall()
        for key, value in saved.items():
            client.restore(key, 0, value)
    logger.log_message("three")
    assert logger.flush(30)
    with server.client() as client:
        client.flushall()
    logger.log_message("four")
    wait_until(lambda: len(batches(log)) > 0)
    logger.end_log()

    (name,) = producers(log)
    texts = [event.get("content") for event in events(log, name)]
    assert texts == ["one", "two", "three", "four", None]


def test_only_own_heads_are_known() -> None:
    heads = Heads()
    for number in range(10):
        heads.add(number, bytes([number]) * 32)

    assert heads.has(3, bytes([3]) * 32)
    assert not heads.has(4, bytes([3]) * 32)
    assert not heads.has(3, bytes([200]) * 32)
    assert heads.has(-1, GENESIS)


def test_heads_are_bounded_and_the_oldest_are_then_believed() -> None:
    heads = Heads()
    for number in range(40_000):
        heads.add(number, number.to_bytes(32, "little"))

    assert len(heads._marks) <= 16_384
    assert heads.has(39_999, (39_999).to_bytes(32, "little"))
    assert not heads.has(39_999, bytes(32))
    assert heads.has(7, b"forgotten".ljust(32))


def test_lines_that_name_numbers_are_renumbered_with_all_the_others() -> None:
    lines = (
        b'{"seq":7,"time":1,"type":"message","v":1,"content":"{\\"seq\\":7,"}\n'
        b'{"seq":8,"time":1,"type":"loss","v":1,"counts":{"unknown":1},"first":8,"last":8}\n'
        b'{"seq":9,"time":1,"count":10,"type":"end","v":1,"result":{"first":9},"rank":0}\n'
    )

    assert renumber(lines, 6) == (
        b'{"seq":1,"time":1,"type":"message","v":1,"content":"{\\"seq\\":7,"}\n'
        b'{"seq":2,"time":1,"type":"loss","v":1,"counts":{"unknown":1},"first":2,"last":2}\n'
        b'{"seq":3,"time":1,"count":4,"type":"end","v":1,"result":{"first":9},"rank":0}\n'
    )


def _dump(server: TestServer) -> dict[bytes, bytes]:
    with server.client() as client:
        return {key: client.dump(key) for key in client.scan_iter()}
