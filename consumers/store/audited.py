"""What verifying reads of a store: everything of one job as it stands there, nothing believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zstandard
from sqlalchemy import select

from consumers.audit.archived import StoredBlock
from consumers.audit.refold import StoredView
from consumers.store import folds
from consumers.store.documents import whole
from consumers.store.schema import block, job, mark, parked
from consumers.views.archive import removal
from consumers.views.archive.block import read_block
from consumers.views.archive.table import PROJECTION
from consumers.views.message_feed import table as messages
from consumers.views.metric_history import query as histories
from consumers.views.metric_history import table as metrics
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from consumers.store.databases import Databases
    from consumers.views.archive.removal import Removed

_PAGE = 1_000


class AuditedStore:
    """Reads what is stored of jobs. Every method raises StoreUnavailable when it cannot."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def manifest(self, job_id: str) -> bytes | None:
        """Return the archive's manifest of a job."""
        if not self._databases.is_founded(PROJECTION):
            return None
        return folds.load(self._databases.of(PROJECTION), PROJECTION, [job_id]).get(job_id)

    def removed(self, job_id: str) -> Removed | None:
        """Return what was removed of a job from the archive."""
        if not self._databases.is_founded(PROJECTION):
            return None
        with self._databases.of(PROJECTION).read(f"verifying job {job_id!r}") as connection:
            no = folds.number(connection, PROJECTION, job_id)
            return None if no is None else removal.find(connection, no)

    def blocks(self, job_id: str) -> Iterator[StoredBlock]:
        """Yield the blocks of a job from one state of the database, one in memory at a time."""
        if not self._databases.is_founded(PROJECTION):
            return
        with self._databases.of(PROJECTION).read(f"verifying job {job_id!r}") as connection:
            no = folds.number(connection, PROJECTION, job_id)
            starts = select(block.c.start).where(block.c.job_no == no).order_by(block.c.start)
            for start in connection.execute(starts).scalars().all():
                yield _block(connection, job_id, no, start)

    def view(self, projection: str, job_id: str) -> StoredView | str | None:
        """Return what a projection has of a job, or why it cannot be read; None if it has none."""
        try:
            return self._view(projection, job_id)
        except (DecodeError, TypeError, ValueError) as error:
            return f"what cannot be read: {error}"

    def jobs(self, projection: str) -> Iterator[str]:
        """Yield the ids of all jobs of a projection, in order."""
        if not self._databases.is_founded(projection):
            return
        after, found = "", [""]
        while found:
            query = select(job.c.job_id).where(job.c.projection == projection, job.c.job_id > after)
            with self._databases.of(projection).read("listing jobs to verify") as connection:
                page = query.order_by(job.c.job_id).limit(_PAGE)
                found = list(connection.execute(page).scalars())
            yield from found
            after = found[-1] if found else after

    def manifests(self, partition: int) -> Iterator[tuple[str, bytes]]:
        """Yield the archived jobs of a partition with their manifests."""
        here = (job.c.projection == PROJECTION) & (job.c.partition == partition)
        some = folds.read(job.c.no, job.c.job_id).where(here).order_by(job.c.no).limit(_PAGE)
        after = 0
        while True:
            with self._databases.of(PROJECTION).read("reading manifests") as connection:
                rows = connection.execute(some.where(job.c.no > after)).all()
            if not rows:
                return
            yield from ((row.job_id, whole(row.document, row.body)) for row in rows)
            after = rows[-1].no

    def close(self) -> None:
        """Disconnect."""
        self._databases.close()

    def _view(self, projection: str, job_id: str) -> StoredView | None:
        if not self._databases.is_founded(projection):
            return None
        with self._databases.of(projection).read(f"verifying job {job_id!r}") as connection:
            mine = (job.c.projection == projection) & (job.c.job_id == job_id)
            found = connection.execute(folds.read(job.c.no).where(mine)).first()
            if found is None:
                return None
            rows: Any = None
            marks = {}
            if projection == metrics.PROJECTION:
                rows = histories.read_all(connection, job_id)
            elif projection == messages.PROJECTION:
                rows = messages.read_all(connection, job_id)
            else:
                marks = _marks(connection, found.no)
            left = select(parked.c.producer, parked.c.number).where(
                parked.c.projection == projection,
                parked.c.job_id == job_id,
                parked.c.number.is_not(None),
            )
            aside = [(producer, number) for producer, number in connection.execute(left)]
        return StoredView(whole(found.document, found.body), rows, aside, marks)


def _marks(connection: Connection, no: int) -> dict[tuple[int, int], tuple[bytes, bytes]]:
    rows = connection.execute(select(mark).where(mark.c.job_no == no))
    return {(row.ms, row.seq): (bytes(row.hash), _plain(bytes(row.document))) for row in rows}


def _plain(frame: bytes) -> bytes:
    """Return what is compressed; nothing of a frame that is none, which no fold gives."""
    try:
        return zstandard.decompress(frame)
    except zstandard.ZstdError:
        return b""


def _block(connection: Connection, job_id: str, no: Any, start: int) -> StoredBlock:
    row = connection.execute(
        select(block).where(block.c.job_no == no, block.c.start == start)
    ).one()
    content: Any
    try:
        content = read_block(job_id, bytes(row.body), bytes(row.digest), is_loose=row.is_loose)
    except DecodeError as error:
        content = str(error)
    first, last = (row.first_ms, row.first_seq), (row.last_ms, row.last_seq)
    return StoredBlock(start, row.entries, first, last, content)
