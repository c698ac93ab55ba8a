"""Retention of the archive: whole runs go, the oldest first, and that they went is written down.

Blocks go; the manifest stays, with counts and every producer's number and chain head. A run that
goes on later is archived behind the place where it was removed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, select

from consumers.store import jobs
from consumers.store.documents import whole
from consumers.store.schema import block, job, removed
from consumers.store.sql import insert_into
from consumers.views.archive.fold import ArchiveFold
from synapse_stream.entries.keys import TRAIL
from synapse_stream.errors import Trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection

    from consumers.store.engine import Database


class Removed(NamedTuple):
    """What was removed of a run: its first entries."""

    entries: int
    last: tuple[int, int]
    """Id of the last of them."""
    time_ms: int
    """When, by the server's clock."""

    def refusal(self, job_id: str) -> Trimmed:
        """Return what to raise for who wants to read them."""
        when = datetime.fromtimestamp(self.time_ms / 1000, UTC).isoformat(timespec="seconds")
        return Trimmed(
            f"the first {self.entries} entries of job {job_id!r}, up to {self.last[0]}-"
            f"{self.last[1]}, were removed from the archive at {when}, as ARCHIVE_SECONDS or "
            "ARCHIVE_BYTES has it; what came later can be read from behind that place on"
        )


def find(connection: Connection, job_no: int) -> Removed | None:
    """Return what was removed of a run."""
    row = connection.execute(select(removed).where(removed.c.job_no == job_no)).first()
    return None if row is None else Removed(row.entries, (row.ms, row.seq), row.time)


class Expired(NamedTuple):
    """A run that the archive need not keep."""

    job_no: int
    job_id: str


def expired(
    database: Database,
    partitions: Collection[int],
    *,
    before_ms: int,
    spare_ms: int,
    most_bytes: int | None,
) -> list[Expired]:
    """Return the runs of some partitions that are too old or too many, the oldest first.

    The operators' trail is none of them, ever.

    Args:
        database: of the archive.
        partitions: whose.
        before_ms: runs that have ended before; 0 for none.
        spare_ms: none that has not ended before.
        most_bytes: how much all runs together may take; None for any.
    """
    newest = func.max(block.c.last_ms).label("newest")
    query = (
        select(
            *(block.c.job_no, job.c.job_id, block.c.partition, newest),
            func.sum(func.length(block.c.body)),
        )
        .join(job, job.c.no == block.c.job_no)
        .where(job.c.job_id != TRAIL)
        .group_by(block.c.job_no, job.c.job_id, block.c.partition)
        .order_by(newest.desc(), block.c.job_no.desc())
    )
    kept, found = 0, []
    with database.read("looking for what the archive need not keep") as connection:
        for job_no, job_id, partition, last_ms, size in connection.execute(query):
            kept += int(size)
            is_too_much = most_bytes is not None and kept > most_bytes
            is_due = last_ms < spare_ms and (last_ms < before_ms or is_too_much)
            if is_due and partition in partitions:
                found.append(Expired(job_no, job_id))
    return found[::-1]


def may_go(database: Database, run: Expired, vouch: Callable[[int, str, int], bool]) -> bool | None:
    """Tell whether it is signed that a run is to be removed; have it signed if it is not.

    Args:
        database: of the archive.
        run: which.
        vouch: tells that, given partition, id and entries of the run.

    Returns:
        None for one that another has removed, or that is damaged, so that nothing can be signed.
    """
    with database.read("looking at a run that is to be removed") as connection:
        last = _last(connection, run.job_no)
        signable = _signable(connection, run.job_no)
    if last is None or signable is None:
        return None
    return vouch(*signable, last.start + last.entries)


def remove(
    database: Database,
    run: Expired,
    *,
    now_ms: int,
    vouch: Callable[[int, str, int], bool] | None = None,
) -> bool:
    """Remove a run; return False for one that another has removed, or that must stay.

    Args:
        database: of the archive.
        run: which.
        now_ms: what is written down as the time.
        vouch: as in `may_go`; None asks nobody.
    """
    with database.write("removing a run from the archive") as connection:
        return _remove(connection, run.job_no, now_ms, vouch)


def _remove(
    connection: Connection,
    job_no: int,
    now_ms: int,
    vouch: Callable[[int, str, int], bool] | None,
) -> bool:
    last = _last(connection, job_no)
    if last is None:
        return False
    if vouch:
        signable = _signable(connection, job_no)
        if signable is None or not vouch(*signable, last.start + last.entries):
            return False
    of_job = block.c.job_no == job_no
    connection.execute(delete(block).where(of_job, block.c.start <= last.start))
    entries = last.start + last.entries
    values = {"entries": entries, "ms": last.last_ms, "seq": last.last_seq, "time": now_ms}
    row = insert_into(connection, removed).values(job_no=job_no, **values)
    connection.execute(row.on_conflict_do_update(removed.primary_key, set_=values))
    return True


def _last(connection: Connection, job_no: int) -> Any:
    """Return the place of a run's last block; None where there is none."""
    place = select(block.c.start, block.c.entries, block.c.last_ms, block.c.last_seq)
    of_job = place.where(block.c.job_no == job_no)
    return connection.execute(of_job.order_by(block.c.start.desc()).limit(1)).first()


def _signable(connection: Connection, job_no: int) -> tuple[int, str] | None:
    """Return partition and id of a run.

    None for one with a damaged manifest: it is made anew when the run goes on, and `verify` finds
    it.
    """
    of_run = jobs.read(job.c.partition, job.c.job_id).where(job.c.no == job_no)
    run = connection.execute(of_run).first()
    if run is None or not _is_whole(run.job_id, whole(run.document, run.body)):
        return None
    return run.partition, run.job_id


def _is_whole(job_id: str, manifest: bytes) -> bool:
    try:
        ArchiveFold(job_id, manifest)
    except Exception:  # noqa: BLE001 - whatever stands in the store
        return False
    return True
