"""Compaction: small blocks of a job become few large ones.

It goes as with metric chunks: the newest eight loose or small blocks of a job, with older ones that
are not larger than all newer ones together, and what has rested as a whole. Old blocks go and new
ones come in one transaction under the lease's fence.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select

from consumers.errors import LeaseLost
from consumers.store import damage
from consumers.store.lease import describe
from consumers.store.leases import fence
from consumers.store.schema import block, job
from consumers.views.archive.block import PACKED_BYTES, Block, packed_blocks
from consumers.views.archive.blocks import insert_blocks, read_bodies
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from consumers.store.engine import Database
    from consumers.store.lease import Lease
    from consumers.views.archive.blocks import LooseJobs
    from synapse_stream.entries.batch import RawEntry

_ENOUGH_BLOCKS = 8
_SMALL_BYTES = PACKED_BYTES // 2
_MOST_BYTES = 16 * PACKED_BYTES  # of all that one transaction merges


class _Row(NamedTuple):
    """A block without its body."""

    start: int
    size: int


class _Merged(NamedTuple):
    """What shall become of one job."""

    no: int
    replaced: list[_Row]
    blocks: list[Block]
    is_done: bool
    """True when nothing is left to be merged."""
    fault: str | None
    """What cannot be read."""


def compact(
    database: Database, loose: LooseJobs, lease: Lease, *, most: int, rested_seconds: float
) -> int:
    """Merge small blocks of jobs that have enough of them or have rested; return how many had.

    Raises:
        LeaseLost: another has taken over; nothing was changed.
    """
    rested = time.monotonic() - rested_seconds
    due = [
        (no, of_job.grown_at <= rested)
        for no, of_job in loose.items()
        if of_job.blocks >= _ENOUGH_BLOCKS or of_job.grown_at <= rested
    ][:most]
    if not due:
        return 0
    doing = f"compacting {describe(lease)}"
    with database.read(doing) as connection:
        plans = list(_plans(connection, due))
    with database.write(doing) as connection:
        fence(connection, lease)
        for plan in plans:
            if plan.blocks:
                _replace(connection, lease, plan)
    for plan in plans:
        if plan.fault is not None:
            _note(database, lease, plan.no, plan.fault)
        loose[plan.no].blocks = 0
        if plan.is_done:
            del loose[plan.no]
    return len(plans)


def _note(database: Database, lease: Lease, job_no: int, fault: str) -> None:
    """Make it a finding on the job, unless that is only being imported."""
    mine = (job.c.no == job_no) & (job.c.projection == lease.projection)
    with database.read("looking whose block it is") as connection:
        job_id = connection.execute(select(job.c.job_id).where(mine)).scalar()
    if job_id is not None:
        damage.note(database, lease.projection, job_id, None, fault)


def _plans(connection: Connection, due: Sequence[tuple[int, bool]]) -> Iterator[_Merged]:
    size = 0
    for no, has_rested in due:
        small = _small_at_end(connection, no)
        chosen = small if has_rested else small[_oldest_to_merge(small) :]
        run = _first_bytes(chosen, _MOST_BYTES)
        is_done = has_rested and len(run) == len(chosen)
        fault = None
        try:
            merged = _merge(connection, no, run) if _is_worth_it(connection, no, run) else []
        except DecodeError as error:  # changed by another hand: it stays as it is
            merged, is_done, fault = [], True, str(error)
        yield _Merged(no, run, merged, is_done, fault)
        size += sum(row.size for row in run)
        if size >= _MOST_BYTES:
            return


def _small_at_end(connection: Connection, job_no: int) -> list[_Row]:
    """Return the blocks behind the last large one."""
    of_job = block.c.job_no == job_no
    is_large = ~block.c.is_loose & (block.c.size >= _SMALL_BYTES)
    large = select(func.max(block.c.start)).where(of_job, is_large)
    behind = block.c.start > func.coalesce(large.scalar_subquery(), -1)
    small = select(block.c.start, block.c.size).where(of_job, behind).order_by(block.c.start)
    return [_Row(*row) for row in connection.execute(small)]


def _oldest_to_merge(rows: Sequence[_Row]) -> int:
    """Return the place of the oldest block to be merged with all that are newer."""
    place = max(0, len(rows) - _ENOUGH_BLOCKS)
    newer = sum(row.size for row in rows[place:])
    while place > 0 and rows[place - 1].size <= newer:
        place -= 1
        newer += rows[place].size
    return place


def _first_bytes(rows: Sequence[_Row], most: int) -> list[_Row]:
    """Return the oldest rows up to so many bytes; what is left must stay at the end."""
    size = 0
    for index, row in enumerate(rows):
        size += row.size
        if size > most and index:
            return list(rows[:index])
    return list(rows)


def _is_worth_it(connection: Connection, job_no: int, run: Sequence[_Row]) -> bool:
    if len(run) != 1:
        return bool(run)
    here = (block.c.job_no == job_no) & (block.c.start == run[0].start)
    return bool(connection.execute(select(block.c.is_loose).where(here)).scalar())


def _merge(connection: Connection, job_no: int, run: Sequence[_Row]) -> list[Block]:
    job_id = connection.execute(select(job.c.job_id).where(job.c.no == job_no)).scalar()
    if job_id is None:
        msg = f"blocks are of job number {job_no}, which there is not"
        raise DecodeError(msg)

    def entries() -> Iterator[RawEntry]:
        for _, some in read_bodies(connection, job_id, job_no, [row.start for row in run]):
            yield from some

    return list(packed_blocks(job_id, entries()))


def _replace(connection: Connection, lease: Lease, plan: _Merged) -> None:
    span = block.c.start.between(plan.replaced[0].start, plan.replaced[-1].start)
    gone = connection.execute(delete(block).where(block.c.job_no == plan.no, span)).rowcount
    if gone != len(plan.replaced):
        msg = f"{describe(lease)} was changed by another while it was compacted"
        raise LeaseLost(msg)
    start = plan.replaced[0].start
    placed = []
    for one in plan.blocks:
        placed.append((start, one))
        start += one.entries
    insert_blocks(connection, plan.no, lease.partition, placed)
