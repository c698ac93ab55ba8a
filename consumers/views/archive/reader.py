"""The archive as readers get it: the port `synapse_stream.ports.archive.Archive` on SQL."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import func, select, tuple_

from consumers.store import jobs
from consumers.store.damage import Damages
from consumers.store.documents import whole
from consumers.store.schema import block, job
from consumers.views.archive import adding, removal
from consumers.views.archive.block import read_block
from consumers.views.archive.blocks import BODY
from consumers.views.archive.fold import ArchiveFold
from consumers.views.archive.raw import PROJECTION, RawArchive
from synapse_stream.entries.batch import sealed_count, unpack
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.erasing import parse_erasures
from synapse_stream.entries.position import Position
from synapse_stream.errors import DecodeError
from synapse_stream.ports.archive import Manifest, ProducerMark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import ColumnElement, Connection

    from consumers.store.databases import Databases
    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.entries.entry import RecordedBatch

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
        self._damage = Damages(databases)
        self._kept: OrderedDict[tuple[str, bytes], list[RawEntry]] = OrderedDict()
        self._lock = Lock()

    def find(self, job_id: str, position: Position) -> int:
        """Return the index of the entry of `position`; without one, of the first behind it.

        Of several that have its id the newest is meant. An index stays what it is for good.
        """
        with self._reading(job_id) as connection:
            return self._index(connection, job_id, position[:2])

    def read(
        self, job_id: str, index: int = 0, *, limit: int = 100, until: Position | None = None
    ) -> list[RecordedBatch]:
        """Read entries from that of `index` on, up to and with that of `until`.

        They come in the order in which they were archived.
        """
        with self._reading(job_id) as connection:
            found = list(islice(self._from(connection, job_id, index), limit))
            if until is not None:
                count = max(0, self._index(connection, job_id, until[:2]) - index)
                last = found[count : count + 1]  # or, without one, the first behind it
                found = found[:count] + [entry for entry in last if entry[:2] == until[:2]]
        return [recorded_batch(job_id, entry) for entry in found]

    def manifest(self, job_id: str) -> Manifest | None:
        """Return what the archive has of a job; None for a job that it does not know."""
        with self._reading(job_id) as connection:
            found = connection.execute(
                jobs.read(job.c.no).where(jobs.is_of(PROJECTION, job_id))
            ).first()
            if found is None:
                return None
            of_job = select(func.count(), func.sum(func.length(block.c.body)))
            blocks, size = connection.execute(of_job.where(block.c.job_no == found.no)).one()
            content = orjson.loads(whole(found.document, found.body))
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
            erasures=parse_erasures(content.get("erased", ())),
        )

    def last_numbers(self, job_id: str) -> dict[str, int]:
        """Return the highest number of every producer; a job that it does not know has none."""
        found = self._databases.load(PROJECTION, [job_id])
        with self._damage.found(PROJECTION, job_id):
            producers = orjson.loads(found[job_id])["producers"] if found else {}
            return {name: mark["last"] for name, mark in producers.items()}

    def refold(self, job_id: str) -> bytes:
        """Return the manifest of a job as it follows from its blocks, of which some may be damaged.

        What entries alone do not tell is lost: how tails were cut that came again.
        """
        stored, fold = RawArchive(self._databases), ArchiveFold(job_id, None)
        gone = stored.removed(job_id)
        fold.reach(gone.entries if gone else 0)
        for one in stored.blocks(job_id):
            for entry in () if isinstance(one.content, str) else one.content:
                fold.apply(entry)
            fold.rows()
            fold.reach(one.start + one.entries)
        return fold.document()

    def jobs(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """Return ids of archived jobs in their order; `after` is the last one seen."""
        query = select(job.c.job_id).where(job.c.projection == PROJECTION, job.c.job_id > after)
        with self._databases.reading(PROJECTION, "listing archived jobs") as connection:
            found = connection.execute(query.order_by(job.c.job_id).limit(limit))
            return list(found.scalars())

    def add(self, job_id: str, entries: Iterable[RawEntry], joins: Any, erasures: Any = ()) -> None:
        """Archive a whole job that was read elsewhere; all of it or, if `entries` fails, nothing.

        Raises:
            JobExists: the archive has such a job.
        """
        adding.add_job(self._databases, job_id, entries, joins, erasures)

    def has(self, job_id: str, entry: RawEntry) -> bool:
        """Tell whether this very entry is archived."""
        with self._reading(job_id) as connection:
            return any(entry == found for _, found in self._at(connection, job_id, entry[:2]))

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self._databases.close()

    @contextmanager
    def _reading(self, job_id: str) -> Iterator[Connection]:
        """Open a transaction that reads of one job; what cannot be read is a finding on it."""
        with (
            self._damage.found(PROJECTION, job_id),
            self._databases.reading(PROJECTION, f"reading job {job_id!r}") as connection,
        ):
            yield connection

    def _mark(
        self, connection: Connection, job_id: str, producer: str, mark: dict[str, Any]
    ) -> ProducerMark:
        place = Position(*mark["at"])
        there = (
            recorded_batch(job_id, entry).batch
            for _, entry in self._at(connection, job_id, place[:2])
        )
        return ProducerMark(
            last=mark["last"],
            hash=bytes.fromhex(mark["hash"]),
            batches=mark["batches"],
            events=mark["events"],
            place=place,
            sealed=next((sealed_count(b) for b in there if b and b.producer == producer), None),
            joins=mark.get("joins", ()),
        )

    def _from(self, connection: Connection, job_id: str, index: int) -> Iterator[RawEntry]:
        """Yield the entries from that of `index` on, as archived."""
        no = jobs.number(connection, PROJECTION, job_id)
        if no is None:
            return
        gone = removal.find(connection, no)
        if gone and index < gone.entries:
            raise gone.refusal(job_id)
        begin = select(func.max(block.c.start)).where(_of(no), block.c.start <= index)
        start = connection.execute(begin).scalar()
        following = index if start is None else start
        while places := _places(
            connection, _of(no) & (block.c.start >= following), limit=_BLOCKS_A_LOOK
        ):
            for place in places:
                if place.start > following:
                    msg = f"entries {following} to {place.start - 1} are not in the archive"
                    raise DecodeError(msg)
                entries = self._entries(connection, job_id, no, place)
                yield from entries[max(0, index - place.start) :]
                following = place.start + len(entries)

    def _index(self, connection: Connection, job_id: str, entry_id: tuple[int, int]) -> int:
        """Return the index of the newest entry with that id; without one, of the first behind."""
        for index, _ in self._at(connection, job_id, entry_id):
            return index
        no = jobs.number(connection, PROJECTION, job_id)
        if no is None:
            return 0
        gone = removal.find(connection, no)
        if gone and entry_id < gone.last:
            raise gone.refusal(job_id)
        first = select(func.min(block.c.start)).where(_of(no), _last > tuple_(*entry_id))
        start: int | None = connection.execute(first).scalar()
        if start is None:
            count = select(func.sum(block.c.entries)).where(_of(no))
            return (gone.entries if gone else 0) + int(connection.execute(count).scalar() or 0)
        behind = enumerate(self._from(connection, job_id, start), start)
        for index, entry in behind:
            if entry[:2] > entry_id:
                return index
        msg = f"blocks of the archive of job {job_id!r} are not where their ids have them"
        raise DecodeError(msg)

    def _at(
        self, connection: Connection, job_id: str, entry_id: tuple[int, int]
    ) -> Iterator[tuple[int, RawEntry]]:
        """Yield the entries that have this id, the newest first, with their indexes.

        There are several when a server lost its tail and its clock went back.
        """
        no = jobs.number(connection, PROJECTION, job_id)
        if no is None:
            return
        for place in reversed(_places(connection, _of(no) & _spans(entry_id))):
            for index, entry in enumerate(self._entries(connection, job_id, no, place)):
                if entry[:2] == entry_id:
                    yield place.start + index, entry

    def _entries(
        self, connection: Connection, job_id: str, no: int, place: _Place
    ) -> list[RawEntry]:
        key = (job_id, place.digest)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        here = _of(no) & (block.c.start == place.start)
        body = connection.execute(select(BODY).where(here)).scalar_one()
        found = read_block(job_id, bytes(body), place.digest, is_loose=place.is_loose)
        entries = [unpack(job_id, entry) for entry in found]
        if len(entries) != place.entries or not entries:
            msg = f"a block of the archive of job {job_id!r} has not the entries that it tells of"
            raise DecodeError(msg)
        with self._lock:
            self._kept[key] = entries
            while len(self._kept) > _BLOCKS_KEPT:
                self._kept.popitem(last=False)
        return entries


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
