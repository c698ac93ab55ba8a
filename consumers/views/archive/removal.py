"""Retention of the archive: whole runs go, the oldest first, and that they went is written down.

Blocks go; the manifest stays, with counts and every producer's number and chain head. A run that
goes on later is archived behind the place where it was removed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select

from consumers.store import jobs
from consumers.store.documents import whole
from consumers.store.schema import block, job, removed
from consumers.store.sql import insert_into
from consumers.views.archive.fold import ArchiveFold
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


def remove(
    database: Database,
    partitions: Collection[int],
    *,
    now_ms: int,
    before_ms: int,
    spare_ms: int,
    most_bytes: int | None,
    vouch: Callable[[int, str, int], bool] | None = None,
) -> int:
    """Remove the runs of some partitions that are too old or too many; return how many.

    Args:
        database: of the archive.
        partitions: whose.
        now_ms: what is written down as the time.
        before_ms: runs go that have ended before; 0 for none.
        spare_ms: runs stay that have not ended before.
        most_bytes: how much all runs together may take; None for any.
        vouch: tells, given partition, id and entries of a run, whether it may go.
    """
    with database.read("looking for what the archive need not keep") as connection:
        wanted = _expired(connection, before_ms, spare_ms, most_bytes)
    mine = [job_no for job_no, partition in wanted if partition in partitions]
    count = 0
    for job_no in mine:
        with database.write("removing a run from the archive") as connection:
            count += _remove(connection, job_no, now_ms, vouch)
    return count


def _expired(
    connection: Connection, before_ms: int, spare_ms: int, most_bytes: int | None
) -> list[tuple[int, int]]:
    """Return number and partition of runs, the oldest first."""
    newest = func.max(block.c.last_ms).label("newest")
    query = (
        select(block.c.job_no, block.c.partition, newest, func.sum(func.length(block.c.body)))
        .group_by(block.c.job_no, block.c.partition)
        .order_by(newest.desc(), block.c.job_no)
    )
    kept, expired = 0, []
    for job_no, partition, last_ms, size in connection.execute(query):
        kept += int(size)
        is_too_much = most_bytes is not None and kept > most_bytes
        if last_ms < spare_ms and (last_ms < before_ms or is_too_much):
            expired.append((job_no, partition))
    return expired[::-1]


def _remove(
    connection: Connection,
    job_no: int,
    now_ms: int,
    vouch: Callable[[int, str, int], bool] | None,
) -> bool:
    """Remove a run; return False for one that another has removed, or that must stay."""
    of_job = block.c.job_no == job_no
    place = select(block.c.start, block.c.entries, block.c.last_ms, block.c.last_seq)
    last = connection.execute(place.where(of_job).order_by(block.c.start.desc()).limit(1)).first()
    if last is None:
        return False
    if vouch:
        of_run = jobs.read(job.c.partition, job.c.job_id).where(job.c.no == job_no)
        run = connection.execute(of_run).first()
        manifest = b"" if run is None else whole(run.document, run.body)
        if run is None or not _is_whole(run.job_id, manifest):
            return False  # it is made anew when the run goes on, and found by `verify`
        if not vouch(run.partition, run.job_id, last.start + last.entries):
            return False
    connection.execute(delete(block).where(of_job, block.c.start <= last.start))
    entries = last.start + last.entries
    values = {"entries": entries, "ms": last.last_ms, "seq": last.last_seq, "time": now_ms}
    row = insert_into(connection, removed).values(job_no=job_no, **values)
    connection.execute(row.on_conflict_do_update(removed.primary_key, set_=values))
    return True


def _is_whole(job_id: str, manifest: bytes) -> bool:
    try:
        ArchiveFold(job_id, manifest)
    except Exception:  # noqa: BLE001 - whatever stands in the store
        return False
    return True
