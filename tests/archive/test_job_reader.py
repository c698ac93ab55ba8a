"""Stream and archive are read as one: no gap, no repeat, from any place, while it is trimmed."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import ConfigError, Trimmed
from synapse_stream.reading.job_reader import JobReader
from synapse_stream.reading.stream import JobStream
from tests.support.archiving import keys
from tests.support.chains import Chain
from tests.support.events import ended
from tests.support.raw import client_of

if TYPE_CHECKING:
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.settings import Settings
    from tests.support.archiving import Archiver
    from tests.support.servers import TestServer

JOB = "job-1"
END = ended(count=1)


def none_installed() -> NoReturn:
    msg = "nothing is installed"
    raise ConfigError(msg)


def fill(log: FeedLog, count: int, chain: Chain | None = None) -> Chain:
    """Append batches of one to four events, each tenth followed by an entry that is no batch."""
    chain = chain or Chain(JOB)
    for number in range(count):
        log.append(chain.add(*[{}] * (1 + number % 4)))
        if number % 10 == 9:
            stray = ("XADD", log.keys.job(JOB), "*", "no", "batch")
            entry = client_of(log).execute_command(*stray)
            client_of(log).execute_command(
                "XADD", log.keys.feed(log.keys.partition(JOB)), entry, "j", JOB, "n", 1
            )
    return chain


def place(entry: RecordedBatch) -> Position:
    return Position(entry.ms, entry.seq)


def write_archive_and_trim(log: FeedLog, archiver: Archiver, chain: Chain) -> None:
    dice = random.Random(7)
    for _ in range(40):
        for _ in range(dice.randrange(1, 12)):
            log.append(chain.add(*[{}] * dice.randrange(1, 4)))
        archiver.archive(most=dice.randrange(4, 20))
        there = archiver.stream(JOB)
        if there and dice.random() < 0.8:
            archiver.trim(JOB, dice.choice([*there, there[-1]]))
        if dice.random() < 0.3:
            archiver.compact()


def read_on(
    reader: JobReader, chain: Chain, seed: int, stop: threading.Event, failures: list[str]
) -> None:
    """Read pages of any size from where the last one ended, until `stop` and all is read."""
    dice, at, following = random.Random(seed), BEGINNING, 0
    is_last = fresh = False
    while not is_last or fresh:
        is_last = stop.is_set()
        page = reader.read_after(JOB, at, limit=dice.randrange(2, 9))
        fresh = bool(page) and place(page[-1]) != at
        for entry in page[page[0][:2] == at[:2] if page else 0 :]:
            assert entry.batch
            if entry.batch.first != following:
                failures.append(f"{entry.batch.first} instead of {following} behind {at}")
                return
            following = entry.batch.last + 1
            at = place(entry)
    if following != chain.last + 1:
        failures.append(f"ended at {following} of {chain.last + 1}")


@pytest.mark.parametrize("trimmed", [1, 7, 12, 13, None])
def test_every_place_reads_on_to_the_end(
    log: FeedLog, archiver: Archiver, reader: JobReader, trimmed: int | None
) -> None:
    fill(log, 12)
    archiver.archive(most=7)
    whole = archiver.stream(JOB)
    assert len(whole) == 13
    archiver.trim(JOB, whole[trimmed - 1] if trimmed else None)

    assert keys(list(reader.entries(JOB))) == keys(whole)
    for index, entry in enumerate(whole):
        assert keys(reader.read_after(JOB, place(entry), limit=5)) == keys(whole[index : index + 5])
        behind = reader.read_after(JOB, BEGINNING, until=place(entry), limit=1000)
        assert keys(behind) == keys(whole[: index + 1])
        following = Position(entry.ms, entry.seq + 1)
        assert keys(reader.read_after(JOB, following)) == keys(whole[index + 1 :])


def test_what_came_after_the_archive_follows_what_was_trimmed(
    log: FeedLog, archiver: Archiver, reader: JobReader
) -> None:
    chain = fill(log, 30)
    archiver.archive()
    before = archiver.stream(JOB)
    archiver.trim(JOB, before[-1])
    fill(log, 30, chain)
    after = archiver.stream(JOB)

    assert keys(list(reader.entries(JOB))) == keys(before + after)
    assert keys(reader.read_after(JOB, BEGINNING, limit=40)) == keys((before + after)[:40])


def test_a_reader_that_follows_gets_what_was_trimmed_before_it_came(
    log: FeedLog, archiver: Archiver, reader: JobReader
) -> None:
    chain = fill(log, 5)
    reading = reader.reading(JOB)
    assert keys(reading.read(100)) == keys(archiver.stream(JOB))
    fill(log, 25, chain)
    archiver.archive()
    whole = archiver.stream(JOB)
    archiver.trim(JOB, whole[-3])

    assert keys(reading.wait(block_ms=1, limit=3)) == keys(whole[5:8])
    archiver.trim(JOB, None)
    assert keys(reading.wait(block_ms=1, limit=100)) == keys(whole[8:])
    assert reading.wait(block_ms=1, limit=100) == []


def test_a_tail_that_was_overtaken_goes_on_without_a_gap(
    log: FeedLog, archiver: Archiver, settings: Settings
) -> None:
    chain = fill(log, 9)
    tail = JobStream(JOB, settings).tail()
    seen = [next(tail) for _ in range(3)]
    fill(log, 70, chain)
    log.append(chain.add(END))
    archiver.archive()
    whole = archiver.stream(JOB)
    archiver.trim(JOB, whole[-2])

    seen += tail

    numbers = [found.event.seq for found in seen if found.event.seq >= 0]
    assert numbers == list(range(chain.last + 1))
    assert len(seen) == len(numbers) + 7


def test_trimming_while_it_is_read_neither_skips_nor_repeats(
    log: FeedLog, archiver: Archiver, settings: Settings, reader: JobReader
) -> None:
    chain = Chain(JOB)
    stop = threading.Event()
    failures: list[str] = []
    threads = [
        threading.Thread(target=read_on, args=(reader, chain, seed, stop, failures))
        for seed in range(2)
    ]
    for thread in threads:
        thread.start()
    write_archive_and_trim(log, archiver, chain)
    stop.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(archiver.stream(JOB)) < chain.last
    numbers = [event.event.seq for event in JobStream(JOB, settings).read()]
    assert numbers == list(range(chain.last + 1))


def test_an_archived_job_of_a_server_that_is_gone_is_read(
    server: TestServer, log: FeedLog, archiver: Archiver, settings: Settings
) -> None:
    chain = fill(log, 30)
    archiver.archive()
    with server.client() as client:
        client.flushall()

    read = [found.event.seq for found in JobStream(JOB, settings).read()]

    assert [number for number in read if number >= 0] == list(range(chain.last + 1))
    assert list(JobStream("nobody", settings).read()) == []


def test_a_trimmed_stream_without_an_archive_is_an_error_and_no_gap(
    log: FeedLog, archiver: Archiver
) -> None:
    fill(log, 20)
    alone = JobReader(log, none_installed)
    whole = archiver.stream(JOB)
    archiver.trim(JOB, whole[9])

    with pytest.raises(Trimmed, match=r"it begins at \d+-\d+, .* nothing is installed") as caught:
        alone.read_after(JOB, BEGINNING)
    assert isinstance(caught.value, LookupError)
    with pytest.raises(Trimmed):
        alone.read_after(JOB, place(whole[8]))
    assert keys(alone.read_after(JOB, place(whole[10]))) == keys(whole[10:])
    archiver.trim(JOB, None)
    with pytest.raises(Trimmed, match="nothing of it is left"):
        alone.read_after(JOB, BEGINNING)
    assert alone.read_after("nobody", BEGINNING) == []


def test_what_was_trimmed_before_it_was_archived_is_an_error_and_no_gap(
    log: FeedLog, archiver: Archiver, reader: JobReader
) -> None:
    chain = fill(log, 5)
    archiver.archive()
    fill(log, 5, chain)
    archiver.trim(JOB, archiver.stream(JOB)[6])

    with pytest.raises(Trimmed, match="of what is not archived: numbers"):
        reader.read_after(JOB, BEGINNING)


def test_an_entry_that_was_deleted_by_hand_comes_from_the_archive(
    log: FeedLog, archiver: Archiver, reader: JobReader
) -> None:
    fill(log, 20)
    archiver.archive()
    whole = archiver.stream(JOB)
    client_of(log).execute_command("XDEL", log.keys.job(JOB), f"{whole[5].ms}-{whole[5].seq}")

    assert keys(reader.read_after(JOB, place(whole[5]))) == keys(whole[5:])
