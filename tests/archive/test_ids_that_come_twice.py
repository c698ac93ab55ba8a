"""A server lost its tail and its clock went back: entries of one job have the same ids."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.reading.stream import JobStream
from tests.support.archiving import keys
from tests.support.chains import Chain
from tests.support.entries import entry
from tests.support.events import ended
from tests.support.raw import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.views.archive.reader import StoredArchive
    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.reading.job_reader import JobReader
    from synapse_stream.settings import Settings
    from tests.support.archiving import Archiver

JOB = "job-1"
END = ended(count=1)


@pytest.fixture
def chain() -> Chain:
    return Chain(JOB)


def lost_and_put_back(dice: random.Random, chain: Chain, count: int = 50) -> list[RawEntry]:
    """Return entries whose ids fall back several times to some that were given before."""
    found: list[RawEntry] = []
    ms = 1
    for _ in range(count):
        found.append(entry((ms, 0), chain.add(*[{}] * dice.randrange(1, 4))))
        ms = dice.choice(found).ms if dice.random() < 0.15 else ms + dice.randrange(1, 3)
    return found


def numbers(entries: list[RecordedBatch]) -> list[int]:
    return [number for e in entries if e.batch for number in range(e.batch.first, e.batch.last + 1)]


def in_pages(archive: StoredArchive, dice: random.Random) -> Iterator[RecordedBatch]:
    index = 0
    while page := archive.read(JOB, index, limit=dice.randrange(1, 9)):
        yield from page
        index += len(page)


@pytest.mark.parametrize("seed", range(3))
def test_reading_on_is_exact_and_a_place_is_that_of_the_newest(
    archive: StoredArchive, reader: JobReader, settings: Settings, chain: Chain, seed: int
) -> None:
    dice = random.Random(seed)
    entries = lost_and_put_back(dice, chain)
    ids = [e[:2] for e in entries]
    assert len(set(ids)) < len(ids)
    archive.add(JOB, iter(entries), {})
    every = list(range(chain.last + 1))

    assert numbers(list(in_pages(archive, dice))) == every
    assert numbers(list(reader.entries(JOB))) == every
    assert [found.event.seq for found in JobStream(JOB, settings).read()] == every
    for ms, seq in dice.sample(sorted({one for one in ids if ids.count(one) > 1}), 2):
        newest = max(i for i, known in enumerate(ids) if known == (ms, seq))
        place = Position(ms, seq)
        assert archive.find(JOB, place) == newest
        assert [e[:2] for e in reader.entries(JOB, place)] == ids[newest:]
        assert [e[:2] for e in reader.entries(JOB, until=place)] == ids[: newest + 1]
        behind = [found.position for found in JobStream(JOB, settings).read(place)]
        assert [p[:2] for p in behind if p.index == 0] == ids[newest + 1 :]


def test_a_producers_newest_batch_is_told_from_another_ones_with_its_id(
    archive: StoredArchive, chain: Chain
) -> None:
    other = Chain(JOB, "other")
    entries = [entry((1, 0), chain.add({})), entry((2, 0), chain.add(END))]
    entries += [entry((1, 0), other.add({})), entry((2, 0), other.add({}))]
    archive.add(JOB, iter(entries), {})

    manifest = archive.manifest(JOB)

    assert manifest is not None
    sealed = {name: mark.sealed for name, mark in manifest.producers.items()}
    assert sealed == {chain.producer: 1, "other": None}


@pytest.mark.parametrize("seed", range(3))
def test_the_stream_goes_on_behind_the_archive_though_it_has_ids_of_lost_entries(
    log: FeedLog,
    archiver: Archiver,
    archive: StoredArchive,
    reader: JobReader,
    settings: Settings,
    chain: Chain,
    seed: int,
) -> None:
    dice = random.Random(seed)
    archive.add(JOB, iter(lost_and_put_back(dice, chain)), {})
    for kept, seq in zip(range(40, 60), range(20), strict=True):  # the newest ids rise again
        append_at(log, kept, seq, chain)
    archiver.archive()
    archiver.trim(JOB, archiver.stream(JOB)[9])
    append_at(log, 200, 0, chain)
    append_at(log, 201, 0, chain, END)
    every = list(range(chain.last + 1))

    assert numbers(list(reader.entries(JOB))) == every
    reading, found = reader.reading(JOB), list[int]()
    while page := reading.read(dice.randrange(1, 9)):
        found += numbers(page)
    assert found == every
    tail = JobStream(JOB, settings).tail()
    assert [found.event.seq for found in tail] == every


def test_pages_go_on_by_index_while_the_archive_is_merged_and_grows(
    log: FeedLog, archiver: Archiver, reader: JobReader, chain: Chain
) -> None:
    for number in range(30):
        log.append(chain.add({}, {}))
        if number % 3 == 0:
            archiver.archive()
    archiver.archive()
    archiver.trim(JOB, None)
    reading = reader.reading(JOB)
    found = numbers(reading.read(7))
    archiver.compact()
    found += numbers(reading.read(7))
    log.append(chain.add({}))
    archiver.archive()
    archiver.trim(JOB, None)
    while page := reading.read(7):
        found += numbers(page)

    assert found == list(range(chain.last + 1))
    assert keys(reader.read_after(JOB, BEGINNING, limit=3)) == keys(list(reader.entries(JOB))[:3])


def append_at(log: FeedLog, ms: int, seq: int, chain: Chain, *events: dict[str, object]) -> None:
    """Append a batch under an id, as a server whose clock went back gives it."""
    of_job = entry((ms, seq), chain.add(*events))
    flat = [part for pair in of_job.fields.items() for part in pair]
    client_of(log).execute_command("XADD", log.keys.job(JOB), f"{ms}-{seq}", *flat)
    feed = log.keys.feed(log.keys.partition(JOB))
    count = 1 + chain.batches[-1].last - chain.batches[-1].first
    client_of(log).execute_command("XADD", feed, f"{ms}-{seq}", "j", JOB, "n", count)
