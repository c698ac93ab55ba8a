"""A hand that may write everywhere: it changes what is recorded, and makes the rest fit."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from consumers import views
from consumers.views.archive.block import packed_blocks
from consumers.views.archive.fold import ArchiveFold
from consumers.views.opening import open_databases
from synapse_stream.entries.batch import Batch, RawEntry, encode_fields, seal
from synapse_stream.entries.position import BEGINNING
from tests.support.entries import as_received
from tests.support.raw import client_of

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.settings import Settings


class Placed(NamedTuple):
    """A batch at its place; None is an entry that is none."""

    entry: tuple[int, int]
    batch: Batch | None


class Forger:
    """Puts other entries in the place of a job's, and gives back what was there."""

    def __init__(self, settings: Settings, log: FeedLog, home: Path) -> None:
        self._settings = settings
        self._log = log
        self._views = settings.data_dir / "views"
        self._kept = home / "kept"
        shutil.copytree(self._views, self._kept)
        self._streams: dict[str, Any] = {}

    def entries(self, job: str) -> list[Placed]:
        found = self._log.read_after(job, BEGINNING, limit=100_000)
        return [Placed((e.ms, e.seq), e.batch) for e in found]

    def forge_stream(self, job: str, entries: list[Placed]) -> None:
        """Write the stream anew; the server's own rule, that ids grow, is kept."""
        key = self._log.keys.job(job)
        self._streams.setdefault(key, self._redis("DUMP", key))
        self._redis("DEL", key)
        for (ms, seq), batch in sorted(entries, key=lambda placed: placed.entry):
            fields = encode_fields(batch) if batch else {"x": b"y"}
            self._redis("XADD", key, f"{ms}-{seq}", *[w for pair in fields.items() for w in pair])

    def forge_archive(self, job: str, entries: list[Placed]) -> None:
        """Write blocks, digests and manifest anew."""
        fold = ArchiveFold(job, None)
        raw = [_raw(placed) for placed in entries]
        for entry in raw:
            fold.apply(entry)
        databases = open_databases(self._settings)
        with databases.of("archive").write("forging") as connection:
            of_job = "(SELECT no FROM job WHERE job_id = ?)"
            connection.exec_driver_sql(f"DELETE FROM block WHERE job_no = {of_job}", (job,))
            start = 0
            for one in packed_blocks(job, iter(raw)):
                connection.exec_driver_sql(
                    "INSERT INTO block (job_no, start, partition, first_ms, first_seq, last_ms,"
                    f" last_seq, entries, size, is_loose, digest, body) VALUES ({of_job},"
                    " ?, 0, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
                    (job, start, *one.first, *one.last, one.entries, one.size, *one[5:]),
                )
                start += one.entries
            document = fold.document() if raw else None
            change = "DELETE FROM job" if document is None else "UPDATE job SET document = ?"
            given = (job,) if document is None else (document, job)
            connection.exec_driver_sql(f"{change} WHERE job_id = ?", given)
        databases.close()

    def forge_all(self, job: str, entries: list[Placed]) -> None:
        """Have stream and archive agree, and the views know nothing of the job."""
        self.forge_stream(job, entries)
        self.forge_archive(job, entries)
        databases = open_databases(self._settings)
        for name in views.folded():
            with databases.of(name).write("forging") as connection:
                connection.exec_driver_sql("DELETE FROM job WHERE job_id = ?", (job,))
        databases.close()

    def restore(self) -> None:
        """Put back what was there."""
        for key, dumped in self._streams.items():
            self._redis("DEL", key)
            self._redis("RESTORE", key, 0, dumped)
        self._streams.clear()
        shutil.rmtree(self._views)
        shutil.copytree(self._kept, self._views)

    def _redis(self, *command: Any) -> Any:
        return client_of(self._log).execute_command(*command)


def change(entries: list[Placed], random: Random) -> list[Placed]:
    """Change one byte of a line."""
    place = random.choice(_batches(entries))
    batch = _batch(entries[place])
    at = random.choice([i for i, byte in enumerate(batch.data) if chr(byte).isalnum()])
    other = random.choice([c for c in b"abcxyz0189" if c != batch.data[at]])
    data = batch.data[:at] + bytes([other]) + batch.data[at + 1 :]
    return _with(entries, place, replace(batch, data=data))


def delete(entries: list[Placed], random: Random) -> list[Placed]:
    """Remove a batch that others of its producer follow and precede."""
    middle = [
        place
        for place in _batches(entries)
        if _of(entries[:place], _batch(entries[place]).producer)
        and _of(entries[place + 1 :], _batch(entries[place]).producer)
    ]
    place = random.choice(middle)
    return entries[:place] + entries[place + 1 :]


def insert(entries: list[Placed], random: Random) -> list[Placed]:
    """Put a copy of a batch, a batch that nobody wrote, or what is no batch behind the end."""
    batch = _batch(entries[random.choice(_batches(entries))])
    ms, seq = entries[-1].entry
    following = replace(batch, first=batch.last + 1, last=batch.last + 2, hash=bytes(32))
    return [*entries, Placed((ms, seq + 1), random.choice([batch, following, None]))]


def swap(entries: list[Placed], random: Random) -> list[Placed]:
    """Have two batches of a producer change places."""
    producer = random.choice([_batch(entries[place]).producer for place in _batches(entries)])
    while len(mine := _of(entries, producer)) < 2:
        producer = random.choice([_batch(entries[place]).producer for place in _batches(entries)])
    one, two = random.sample(mine, 2)
    first, second = entries[one].batch, entries[two].batch
    return _with(_with(entries, one, second), two, first)


def cut_tail(entries: list[Placed], random: Random) -> list[Placed]:
    """Cut off the end."""
    return entries[: random.randrange(1, len(entries))]


def drop_run(_entries: list[Placed], _random: Random) -> list[Placed]:
    """Leave nothing."""
    return []


def rechain(entries: list[Placed], random: Random) -> list[Placed]:
    """Change a batch, and seal it and all that follow in its producer's chain anew."""
    changed = change(entries, random)
    place = next(i for i, (a, b) in enumerate(zip(entries, changed, strict=True)) if a != b)
    producer = _batch(changed[place]).producer
    for index in [one for one in _of(changed, producer) if one >= place]:
        before = [one for one in _of(changed, producer) if one < index]
        head = _batch(changed[before[-1]]).hash if before else bytes(32)
        old = _batch(changed[index])
        batch = seal(head, old.job_id, producer, old.first, old.last, old.data)
        changed = _with(changed, index, batch)
    return changed


def _raw(placed: Placed) -> RawEntry:
    fields = as_received(placed.batch) if placed.batch else {b"x": b"y"}
    return RawEntry(*placed.entry, fields)


def _batch(placed: Placed) -> Batch:
    assert placed.batch is not None
    return placed.batch


def _batches(entries: list[Placed]) -> list[int]:
    return [place for place, one in enumerate(entries) if one.batch]


def _of(entries: list[Placed], producer: str) -> list[int]:
    """Return the places of a producer's batches."""
    return [place for place in _batches(entries) if _batch(entries[place]).producer == producer]


def _with(entries: list[Placed], place: int, batch: Batch | None) -> list[Placed]:
    return [*entries[:place], entries[place]._replace(batch=batch), *entries[place + 1 :]]
