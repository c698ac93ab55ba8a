"""The archive as it stands there, nothing believed: for who verifies it, mends it or signs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from consumers.store import jobs
from consumers.store.documents import whole
from consumers.store.schema import block, job
from consumers.views.archive import removal
from consumers.views.archive.block import read_block
from consumers.views.archive.blocks import BODY
from consumers.views.archive.fold import ArchiveFold
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from consumers.store.databases import Databases
    from consumers.views.archive.removal import Removed
    from synapse_stream.entries.batch import RawEntry

PROJECTION = ArchiveFold.name

_PAGE = 1_000


class StoredBlock(NamedTuple):
    """One row of the archive as it was read."""

    start: int
    """How many entries of the job stand before it."""
    entries: int
    """How many it says it has."""
    first: tuple[int, int]
    last: tuple[int, int]
    content: list[RawEntry] | str
    """Its entries, or why it cannot be read."""
    is_loose: bool = False


class RawArchive:
    """Reads manifests and blocks. Every method raises StoreUnavailable when it cannot."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def manifest(self, job_id: str) -> bytes | None:
        """Return the manifest of a job."""
        return self.load([job_id]).get(job_id)

    def load(self, job_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the manifests of those jobs that have one."""
        return self._databases.load(PROJECTION, job_ids)

    def removed(self, job_id: str) -> Removed | None:
        """Return what was removed of a job."""
        with self._databases.reading(PROJECTION, f"verifying job {job_id!r}") as connection:
            no = jobs.number(connection, PROJECTION, job_id)
            return None if no is None else removal.find(connection, no)

    def blocks(self, job_id: str) -> Iterator[StoredBlock]:
        """Yield the blocks of a job from one state of the database, one in memory at a time."""
        with self._databases.reading(PROJECTION, f"verifying job {job_id!r}") as connection:
            no = jobs.number(connection, PROJECTION, job_id)
            starts = select(block.c.start).where(block.c.job_no == no).order_by(block.c.start)
            for start in connection.execute(starts).scalars().all():
                yield _block(connection, job_id, no, start)

    def manifests(self, partition: int) -> Iterator[tuple[str, bytes]]:
        """Yield the archived jobs of a partition with their manifests."""
        here = (job.c.projection == PROJECTION) & (job.c.partition == partition)
        some = jobs.read(job.c.no, job.c.job_id).where(here).order_by(job.c.no).limit(_PAGE)
        after = 0
        while True:
            with self._databases.reading(PROJECTION, "reading manifests") as connection:
                rows = connection.execute(some.where(job.c.no > after)).all()
            if not rows:
                return
            yield from ((row.job_id, whole(row.document, row.body)) for row in rows)
            after = rows[-1].no


def _blob(value: Any) -> bytes:
    """Return bytes: a SQLite file may have a text or a number in their place.

    Raises:
        DecodeError: it has.
    """
    if not isinstance(value, bytes):
        msg = f"a block holds {type(value).__name__} where bytes should be"
        raise DecodeError(msg)
    return value


def _block(connection: Connection, job_id: str, no: Any, start: int) -> StoredBlock:
    columns = [column for column in block.c if column is not block.c.body]
    here = (block.c.job_no == no) & (block.c.start == start)
    row = connection.execute(select(*columns, BODY.label("body")).where(here)).one()
    content: Any
    try:
        content = read_block(job_id, _blob(row.body), _blob(row.digest), is_loose=row.is_loose)
    except DecodeError as error:
        content = str(error)
    except (TypeError, ValueError, LookupError) as error:  # a value of another kind
        content = f"a block of the archive of job {job_id!r} cannot be read: {error!r}"
    first, last = (row.first_ms, row.first_seq), (row.last_ms, row.last_seq)
    return StoredBlock(start, row.entries, first, last, content, bool(row.is_loose))
