"""The archive as readers get it: the port `synapse_stream.archive.Archive` on SQL."""

from __future__ import annotations

from collections import OrderedDict
from itertools import takewhile
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import func, select, tuple_

from consumers import canonical
from consumers.archive.block import read_block
from consumers.store import adding, folds
from consumers.store.archive import PROJECTION
from consumers.store.databases import Databases
from consumers.store.schema import block, job
from synapse_stream.archive import Manifest, ProducerMark
from synapse_stream.batch import sealed_count, unpack
from synapse_stream.log.event_log import recorded_batch
from synapse_stream.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import ColumnElement, Connection

    from synapse_stream.batch import RawEntry
    from synapse_stream.log.event_log import RecordedBatch
    from synapse_stream.settings import Settings

_BLOCKS_KEPT = 16
_BLOCKS_A_LOOK = 64

_first = tuple_(block.c.first_ms, block.c.first_seq)
_last = tuple_(block.c.last_ms, block.c.last_seq)


class _Place(NamedTuple):
    """Where a block stands, and what it is known by."""

    start: int
    entries: int
    is_loose: bool
    digest: bytes


class StoredArchive:
    """What was committed of every job, from one state of the database an answer.

    Keeps the blocks that were read last, so that reading page by page unpacks each once. Every
    method raises StoreUnavailable when the database cannot be read, and DecodeError when a block
    was changed by another hand; they may be called from several threads.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._kept: OrderedDict[tuple[str, bytes], list[RawEntry]] = OrderedDict()
        self._lock = Lock()

    def read_after(
        self, job_id: str, position: Position, *, limit: int = 100, until: Position | None = None
    ) -> list[RecordedBatch]:
        """Read entries from that of `position` on, as `EventLog.read_after` does.

        They come in the order in which they were archived.
        """
        if not self._databases.is_founded(PROJECTION):
            return []
        last = until[:2] if until else None
        found: list[RawEntry] = []
        with self._databases.of(PROJECTION).read(f"reading job {job_id!r}") as connection:
            for entry in self._from(connection, job_id, position[:2]):
                if len(found) == limit or (last is not None and entry[:2] > last):
                    break
                found.append(entry)
        return [recorded_batch(job_id, entry) for entry in found]

    def manifest(self, job_id: str) -> Manifest | None:
        """Return what the archive has of a job; None for a job that it does not know."""
        with self._databases.of(PROJECTION).read(f"reading job {job_id!r}") as connection:
            query = select(job.c.no, job.c.document).where(
                job.c.projection == PROJECTION, job.c.job_id == job_id
            )
            found = connection.execute(query).first()
            if found is None:
                return None
            of_job = select(func.count(), func.sum(func.length(block.c.body)))
            blocks, size = connection.execute(of_job.where(block.c.job_no == found.no)).one()
            content = orjson.loads(found.document)
            marks = {
                name: self._mark(connection, job_id, name, mark)
                for name, mark in content["producers"].items()
            }
        return Manifest(
            job_id,
            entries=content["entries"],
            strays=content["strays"],
            events=content["events"],
            payload_bytes=content["bytes"],
            stored_bytes=int(size or 0),
            blocks=blocks,
            first=content["first"] and Position(*content["first"]),
            last=content["last"] and Position(*content["last"]),
            producers=marks,
        )

    def last_numbers(self, job_id: str) -> dict[str, int]:
        """Return the highest number of every producer; a job that it does not know has none."""
        database = self._databases.of(PROJECTION)
        found = folds.load(database, PROJECTION, [job_id])
        producers = orjson.loads(found[job_id])["producers"] if found else {}
        return {name: mark["last"] for name, mark in producers.items()}

    def jobs(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """Return ids of archived jobs in their order; `after` is the last one seen."""
        query = select(job.c.job_id).where(job.c.projection == PROJECTION, job.c.job_id > after)
        with self._databases.of(PROJECTION).read("listing archived jobs") as connection:
            found = connection.execute(query.order_by(job.c.job_id).limit(limit))
            return list(found.scalars())

    def add(self, job_id: str, entries: Iterable[RawEntry]) -> None:
        """Archive a whole job that was read elsewhere; all of it or, if `entries` fails, nothing.

        Raises:
            JobExists: the archive has such a job.
        """
        adding.add_job(self._databases, job_id, entries)

    def has(self, job_id: str, entry: RawEntry) -> bool:
        """Tell whether this very entry is archived."""
        with self._databases.of(PROJECTION).read(f"reading job {job_id!r}") as connection:
            no = folds.number(connection, PROJECTION, job_id)
            return no is not None and any(
                entry in self._entries(connection, job_id, no, place)
                for place in _places(connection, _of(no) & _spans(entry[:2]))
            )

    def dump(self, job_id: str) -> bytes:
        """Return manifest and entries in one form, however they are cut into blocks."""
        database = self._databases.of(PROJECTION)
        document = folds.load(database, PROJECTION, [job_id]).get(job_id, b"null")
        with database.read(f"dumping job {job_id!r}") as connection:
            return canonical.of_entries(document, self._from(connection, job_id, (0, 0)))

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self._databases.close()

    def _mark(
        self, connection: Connection, job_id: str, producer: str, mark: dict[str, Any]
    ) -> ProducerMark:
        place = Position(*mark["at"])
        newest = (
            recorded_batch(job_id, entry).batch
            for entry in takewhile(
                lambda entry: entry[:2] == place[:2], self._from(connection, job_id, place[:2])
            )
        )
        return ProducerMark(
            last=mark["last"],
            hash=bytes.fromhex(mark["hash"]),
            batches=mark["batches"],
            events=mark["events"],
            place=place,
            sealed=next((sealed_count(b) for b in newest if b and b.producer == producer), None),
        )

    def _from(
        self, connection: Connection, job_id: str, entry_id: tuple[int, int]
    ) -> Iterator[RawEntry]:
        """Yield the entries from `entry_id` on, or from the first behind it, as archived."""
        no = folds.number(connection, PROJECTION, job_id)
        if no is None:
            return
        start = self._start(connection, job_id, no, entry_id)
        is_behind = False
        while start is not None:
            behind = _of(no) & (block.c.start >= start)
            start = None
            for place in _places(connection, behind, limit=_BLOCKS_A_LOOK):
                for entry in self._entries(connection, job_id, no, place):
                    is_behind = is_behind or entry[:2] >= entry_id
                    if is_behind:
                        yield entry
                start = place.start + place.entries

    def _start(
        self, connection: Connection, job_id: str, no: int, entry_id: tuple[int, int]
    ) -> int | None:
        """Return the start of the block with that entry, or of the first with later ones.

        Several blocks span an id when a server lost its tail and its clock went back: then the
        last one that has the very entry counts.
        """
        spanning = _places(connection, _of(no) & _spans(entry_id))
        for place in reversed(spanning) if len(spanning) > 1 else ():
            if any(e[:2] == entry_id for e in self._entries(connection, job_id, no, place)):
                return place.start
        if spanning:
            return spanning[0].start
        later = select(func.min(block.c.start)).where(_of(no), _last >= tuple_(*entry_id))
        start: int | None = connection.execute(later).scalar()
        return start

    def _entries(
        self, connection: Connection, job_id: str, no: int, place: _Place
    ) -> list[RawEntry]:
        key = (job_id, place.digest)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        here = _of(no) & (block.c.start == place.start)
        body = connection.execute(select(block.c.body).where(here)).scalar_one()
        found = read_block(job_id, bytes(body), place.digest, is_loose=place.is_loose)
        entries = [unpack(job_id, entry) for entry in found]
        with self._lock:
            self._kept[key] = entries
            while len(self._kept) > _BLOCKS_KEPT:
                self._kept.popitem(last=False)
        return entries


def open_archive(settings: Settings) -> StoredArchive:
    """Open the archive of a deployment; the database is opened when it is first needed.

    Raises:
        ConfigError: the store's URL is wrong, or its driver is not installed.
    """
    return StoredArchive(Databases(settings))


def _of(job_no: int) -> ColumnElement[bool]:
    return block.c.job_no == job_no


def _spans(entry_id: tuple[int, int]) -> ColumnElement[bool]:
    return (_first <= tuple_(*entry_id)) & (_last >= tuple_(*entry_id))


def _places(
    connection: Connection, wanted: ColumnElement[bool], *, limit: int | None = None
) -> list[_Place]:
    query = select(block.c.start, block.c.entries, block.c.is_loose, block.c.digest)
    rows = connection.execute(query.where(wanted).order_by(block.c.start).limit(limit))
    return [_Place(start, entries, loose, bytes(digest)) for start, entries, loose, digest in rows]
