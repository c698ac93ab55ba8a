"""The archive in its database: any cut, redelivery and merge of blocks keep every byte."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from consumers.store.schema import block
from consumers.views.opening import open_archive
from synapse_stream.entries.batch import GENESIS
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.errors import DecodeError
from tests.support.archiving import keys
from tests.support.chains import Chain
from tests.support.events import ended
from tests.support.raw import client_of

if TYPE_CHECKING:
    from consumers.views.archive.reader import StoredArchive
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.settings import Settings
    from tests.support.archiving import Archiver

JOBS = ("job-1", "job-2", "job-3")
END = ended(count=1)


def blocks(archiver: Archiver) -> list[tuple[int, int, int, bool]]:
    """Return job, start, entries and kind of every block, in order."""
    database = archiver.store.databases.of("archive")
    columns = (block.c.job_no, block.c.start, block.c.entries, block.c.is_loose)
    with database.read("looking") as connection:
        rows = connection.execute(select(*columns).order_by(block.c.job_no, block.c.start))
        return [tuple(row) for row in rows]


def have_no_gap(archiver: Archiver) -> bool:
    following: dict[int, int] = {}
    for job_no, start, entries, _ in blocks(archiver):
        if start != following.get(job_no, 0):
            return False
        following[job_no] = start + entries
    return True


def read(archive: StoredArchive, job: str) -> list[tuple[int, int, bytes]]:
    return keys(archive.read(job, limit=100_000))


def test_commits_redeliveries_and_merges_in_any_order_keep_every_byte(
    log: FeedLog, archiver: Archiver, settings: Settings
) -> None:
    dice = random.Random(3)
    chains = {job: [Chain(job, "one"), Chain(job, "two")] for job in JOBS}
    archive = open_archive(settings)
    for _ in range(40):
        job = dice.choice(JOBS)
        for _ in range(dice.randrange(6)):
            log.append(
                dice.choice(chains[job]).add(*({"x": dice.random()},) * dice.randrange(1, 50))
            )
        step = dice.random()
        if step < 0.6:
            archiver.archive(most=dice.randrange(1, 9))
        elif step < 0.7:
            archiver.archive_again()
        else:
            archiver.compact(dice.choice([0.0, 3600.0]))
    archiver.archive()
    for _ in range(2):
        for job in JOBS:
            assert read(archive, job) == keys(archiver.stream(job))
        assert have_no_gap(archiver)
        archiver.compact()
    assert all(not is_loose for *_, is_loose in blocks(archiver))
    assert len(blocks(archiver)) == len({job_no for job_no, *_ in blocks(archiver)})
    archive.close()


def test_eight_loose_blocks_are_merged_and_fewer_wait_until_they_rest(
    log: FeedLog, archiver: Archiver
) -> None:
    chain = Chain(JOBS[0])
    for _ in range(7):
        log.append(chain.add({}))
        archiver.archive()
    archiver.compact(3600.0)
    assert len(blocks(archiver)) == 7
    log.append(chain.add({}))
    archiver.archive()

    archiver.compact(3600.0)

    assert [entries for _, _, entries, _ in blocks(archiver)] == [8]


def test_the_manifest_tells_what_is_there(
    log: FeedLog, archiver: Archiver, archive: StoredArchive
) -> None:
    one, two = Chain(JOBS[0], "one"), Chain(JOBS[0], "two")
    for batch in (one.add({}, {}), two.add({}), one.add({}, END)):
        log.append(batch)
    archiver.archive()
    archiver.compact()
    first, *_, last = archiver.stream(JOBS[0])

    manifest = archive.manifest(JOBS[0])

    assert manifest is not None
    assert (manifest.entries, manifest.events, manifest.strays, manifest.blocks) == (3, 5, 0, 1)
    assert (manifest.first, manifest.last) == ((*first[:2], 0), (*last[:2], 0))
    assert manifest.producers["one"].hash == one.batches[-1].hash
    assert manifest.producers["one"].place == (*last[:2], 0)
    assert (manifest.producers["one"].sealed, manifest.producers["two"].sealed) == (1, None)
    assert archive.last_numbers(JOBS[0]) == {"one": 3, "two": 0}
    assert archive.manifest("nobody") is None
    assert archive.last_numbers("nobody") == {}
    assert archive.read("nobody") == []
    assert archive.find("nobody", BEGINNING) == 0


def test_jobs_are_listed_in_pages(log: FeedLog, archiver: Archiver, archive: StoredArchive) -> None:
    for job in JOBS:
        log.append(Chain(job).add({}))
    archiver.archive()

    assert archive.jobs() == list(JOBS)
    assert archive.jobs(after=JOBS[0], limit=1) == [JOBS[1]]


def test_what_comes_again_with_other_ids_is_there_once_where_it_stood_first(
    log: FeedLog, archiver: Archiver, archive: StoredArchive
) -> None:
    job, chain = JOBS[0], Chain(JOBS[0])
    for _ in range(6):
        log.append(chain.add({}, {}))
    archiver.archive()
    before = archiver.stream(job)
    lost, state = before[3:], chain.batches[2]
    for entry in lost:  # the server loses its tail: entries, pointers and the producer's state
        at = f"{entry.ms}-{entry.seq}"
        client_of(log).execute_command("XDEL", log.keys.job(job), at)
        client_of(log).execute_command("XDEL", log.keys.feed(log.keys.partition(job)), at)
    head = state.hash + str(state.last).encode()
    client_of(log).execute_command("HSET", log.keys.producers(job), chain.producer, head)
    for batch in chain.batches[3:]:
        log.append(batch)
    log.append(chain.add({}))

    archiver.archive_again()

    newest = archiver.stream(job)[-1:]
    assert read(archive, job) == keys(before + newest)
    assert archive.manifest(job).events == 13  # type: ignore[union-attr]


def test_places_are_found_where_ids_went_back(
    log: FeedLog, archiver: Archiver, archive: StoredArchive
) -> None:
    from tests.support.entries import entry

    chain = Chain(JOBS[0])
    places = [10, 20, 30, 40, 15, 25, 35, 45]
    entries = [entry((place, 0), chain.add({})) for place in places]
    archive.add(JOBS[0], iter(entries), {})

    for index, place in enumerate(places):
        assert archive.find(JOBS[0], Position(place, 0)) == index
        upto = archive.read(JOBS[0], until=Position(place, 0))
        assert [e.ms for e in upto] == places[: index + 1]
    assert archive.find(JOBS[0], Position(12, 0)) == 1
    assert archive.find(JOBS[0], Position(50, 0)) == len(places)
    assert [e.ms for e in archive.read(JOBS[0], until=Position(22, 0))] == places[:2]
    assert chain.batches[0].is_linked_to(GENESIS)


def test_a_block_that_another_hand_changed_is_refused_and_left_for_others_to_find(
    log: FeedLog, archiver: Archiver, archive: StoredArchive
) -> None:
    chain = Chain(JOBS[0])
    for _ in range(3):
        log.append(chain.add({}))
        archiver.archive()
    database = archiver.store.databases.of("archive")
    with database.write("tampering") as connection:
        connection.execute(update(block).where(block.c.start == 1).values(body=b"changed"))

    with pytest.raises(DecodeError, match="its digest differs"):
        archive.read(JOBS[0])
    assert archiver.compact() == 1
    assert [start for _, start, _, _ in blocks(archiver)] == [0, 1, 2]
