"""Runs that the archive need not keep are removed as a whole, which is written down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from consumers.views.archive import removal
from consumers.views.opening import open_archive
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import Trimmed
from synapse_stream.operating.retention import Trimmer
from synapse_stream.ports.audit import Verdict, open_auditor
from synapse_stream.reading.job_reader import JobReader
from tests.support.chains import Chain
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.store.store import Store
    from consumers.views.archive.reader import StoredArchive
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.settings import Settings

on_both = pytest.mark.parametrize("brief", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def archive(brief: Settings) -> Iterator[StoredArchive]:
    opened = open_archive(brief)
    yield opened
    opened.close()


@pytest.fixture
def chains(trim_log: TrimLog, brief: Settings, store: Store) -> list[Chain]:
    """Archive and trim three runs, one after the other."""
    chains = [Chain(f"job-{number}") for number in range(3)]
    for chain in chains:
        for _ in range(4):
            trim_log.append(chain.add({}, {}))
        time.sleep(0.005)
    project(brief)
    trimmer = Trimmer(store, trim_log, brief)
    for cut in trimmer.cuts():
        trimmer.trim(cut)
    return chains


def last_ms(archive: StoredArchive, job_id: str) -> int:
    manifest = archive.manifest(job_id)
    assert manifest is not None
    assert manifest.last is not None
    return manifest.last.ms


def remove(
    store: Store,
    *,
    before_ms: int = 0,
    most_bytes: int | None = None,
    partitions: tuple[int, ...] = (0, 1),
) -> int:
    now_ms = time.time_ns() // 1_000_000
    database = store.databases.of("archive")
    expired = removal.expired(
        database, partitions, before_ms=before_ms, spare_ms=now_ms, most_bytes=most_bytes
    )
    return sum(removal.remove(database, run, now_ms=now_ms) for run in expired)


@on_both
def test_runs_that_ended_too_long_ago_go_and_who_reads_them_is_told(
    trim_log: TrimLog, store: Store, archive: StoredArchive, chains: list[Chain]
) -> None:
    assert remove(store, before_ms=last_ms(archive, "job-2")) == 2
    assert remove(store, before_ms=last_ms(archive, "job-2")) == 0

    reader = JobReader(trim_log, lambda: archive)
    for job in ("job-0", "job-1"):
        with pytest.raises(Trimmed, match=r"first 4 entries of job 'job-.', .* were removed"):
            list(reader.entries(job))
    assert [entry.batch for entry in reader.entries("job-2")] == chains[2].batches
    manifest = archive.manifest("job-0")
    assert manifest is not None
    assert (manifest.entries, manifest.blocks) == (4, 0)
    assert [mark.hash for mark in manifest.producers.values()] == [chains[0].batches[-1].hash]


def test_the_oldest_runs_go_when_they_take_too_much(
    store: Store, archive: StoredArchive, chains: list[Chain]
) -> None:
    newest = archive.manifest(chains[2].job_id)
    assert newest is not None

    assert remove(store, most_bytes=newest.stored_bytes) == 2
    assert remove(store, most_bytes=newest.stored_bytes) == 0
    assert len(archive.read(chains[2].job_id)) == 4


def test_only_own_partitions_are_touched(
    trim_log: TrimLog, store: Store, chains: list[Chain]
) -> None:
    mine = trim_log.keys.partition(chains[0].job_id)
    others = sum(trim_log.keys.partition(chain.job_id) != mine for chain in chains)

    assert remove(store, most_bytes=0, partitions=(mine,)) == 3 - others


def test_a_run_that_goes_on_is_read_from_where_it_was_removed(
    trim_log: TrimLog, brief: Settings, store: Store, archive: StoredArchive, chains: list[Chain]
) -> None:
    [chain, *_] = chains
    removed_last = archive.read(chain.job_id)[-1]
    remove(store, most_bytes=0)
    trim_log.append(chain.add({}))
    project(brief)

    reader = JobReader(trim_log, lambda: archive)
    place = BEGINNING._replace(ms=removed_last.ms, seq=removed_last.seq)
    assert [entry.batch for entry in reader.entries(chain.job_id, place)] == chain.batches[4:]
    with pytest.raises(Trimmed):
        list(reader.entries(chain.job_id))
    assert remove(store, most_bytes=0) == 1


def test_verify_says_that_a_run_was_removed(
    brief: Settings, store: Store, chains: list[Chain]
) -> None:
    auditor = open_auditor(brief)
    before = auditor.verify(chains[0].job_id)
    remove(store, most_bytes=0)

    report = auditor.verify(chains[0].job_id)

    auditor.close()
    assert before.verdict is Verdict.OPEN
    assert (report.verdict, report.entries, report.findings) == (Verdict.REMOVED, 4, [])
    assert "were removed from the archive at" in report.notes[0]
