"""Compaction: small chunks of a series become few large ones.

Chunks come as commits cut them. Of the small ones at a series' end, the newest eight are merged as
soon as there are as many, with older ones that are not larger than all newer ones together: so a
point is written about ten times until its chunk is full. A series that has rested is merged as a
whole.

Old chunks go and new ones come in one transaction under the lease's fence, so no reader and no
crash sees points lost or doubled.
"""

from __future__ import annotations

import time
from math import nan
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select

from consumers.errors import LeaseLost
from consumers.store import damage
from consumers.store.lease import describe
from consumers.store.leases import fence
from consumers.store.schema import chunk, job, series
from consumers.views.metric_history.chunks import MOST_POINTS, merge
from consumers.views.metric_history.series import insert_chunks, set_loose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from consumers.store.engine import Database
    from consumers.store.lease import Lease
    from consumers.views.metric_history.chunks import Chunk
    from consumers.views.metric_history.series import SeriesBook

SMALL_POINTS = MOST_POINTS // 2
_ENOUGH_CHUNKS = 8
_MOST_CHUNKS = 4_096  # of a series in one transaction
_MOST_POINTS = 64 * MOST_POINTS  # of all series together


class _Merged(NamedTuple):
    """What shall become of one series."""

    no: int
    replaced: list[int]
    """Numbers of the chunks that go."""
    chunks: list[Chunk]
    """What comes instead."""
    is_whole: bool
    """False when it had more chunks than one transaction takes."""
    is_done: bool
    """True when nothing is left to be merged."""


class _Spoiled(Exception):
    """A series has chunks that cannot be read."""

    def __init__(self, no: int, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.no = no


def compact(
    database: Database, book: SeriesBook, lease: Lease, *, most: int, rested_seconds: float
) -> int:
    """Merge small chunks of series that have enough of them or have rested; return how many had.

    Raises:
        LeaseLost: another has taken over; nothing was changed.
    """
    due = _due(book, rested_seconds)[:most]
    if not due:
        return 0
    doing = f"compacting {describe(lease)}"
    try:
        with database.read(doing) as connection:
            plans = _plan(database, connection, due)
    except _Spoiled as found:
        del book.loose[found.no]
        _note(database, lease, found)
        return len(due)
    with database.write(doing) as connection:
        fence(connection, lease)
        for plan in plans:
            if plan.chunks:
                _replace(connection, lease, plan)
        done = [plan.no for plan in plans if plan.is_whole and plan.is_done]
        set_loose(connection, done, is_loose=False)
    for plan in plans:
        if plan.is_whole:
            book.loose[plan.no].chunks = 0
    for no in done:
        del book.loose[no]
    return len(plans)


def _due(book: SeriesBook, rested_seconds: float) -> list[tuple[int, bool]]:
    """Return the numbers of series to be merged, and whether as a whole."""
    rested = time.monotonic() - rested_seconds
    return [
        (no, loose.grown_at <= rested)
        for no, loose in book.loose.items()
        if loose.chunks >= _ENOUGH_CHUNKS or loose.grown_at <= rested
    ]


def _note(database: Database, lease: Lease, found: _Spoiled) -> None:
    """Make it a finding on the job, unless it is of what was live before."""
    of_series = (series.c.no == found.no) & (job.c.projection == lease.projection)
    with database.read("looking whose series it is") as connection:
        owner = select(job.c.job_id).join(series, series.c.job_no == job.c.no).where(of_series)
        job_id = connection.execute(owner).scalar()
    if job_id is not None:
        damage.note(database, lease.projection, job_id, lease.partition, str(found))


def _plan(
    database: Database, connection: Connection, due: Sequence[tuple[int, bool]]
) -> list[_Merged]:
    plans: list[_Merged] = []
    points = 0
    for no, has_rested in due:
        run = _small_chunks_at_end(connection, no)
        if not has_rested:
            run = run[_oldest_to_merge([size for _, size in run]) :]
        is_whole = len(run) <= _MOST_CHUNKS
        run = run[:_MOST_CHUNKS]  # the oldest: what is left must stay at the end
        numbers = [number for number, _ in run]
        try:
            with database.translated("merging metric chunks"):
                merged = _merged(connection, no, numbers) if len(run) > 1 else []
        except Exception as error:
            if damage.is_outage(error):
                raise
            raise _Spoiled(no, error) from error
        plans.append(_Merged(no, numbers, merged, is_whole, has_rested or len(run) <= 1))
        points += sum(size for _, size in run)
        if points >= _MOST_POINTS:
            break
    return plans


def _small_chunks_at_end(connection: Connection, series_no: int) -> list[tuple[int, int]]:
    """Return number and points of the chunks behind the last large one."""
    of_series = chunk.c.series_no == series_no
    large = select(func.max(chunk.c.number)).where(of_series, chunk.c.points >= SMALL_POINTS)
    behind = chunk.c.number > func.coalesce(large.scalar_subquery(), -1)
    small = select(chunk.c.number, chunk.c.points).where(of_series, behind)
    return [(number, points) for number, points in connection.execute(small.order_by("number"))]


def _oldest_to_merge(sizes: Sequence[int]) -> int:
    """Return the place of the oldest chunk to be merged with all that are newer."""
    place = max(0, len(sizes) - _ENOUGH_CHUNKS)
    newer = sum(sizes[place:])
    while place > 0 and sizes[place - 1] <= newer:
        place -= 1
        newer += sizes[place]
    return place


def _merged(connection: Connection, series_no: int, numbers: Sequence[int]) -> list[Chunk]:
    query = (
        select(chunk.c.number, chunk.c.body, chunk.c.points, chunk.c.v_sum)
        .where(chunk.c.series_no == series_no, chunk.c.number.between(numbers[0], numbers[-1]))
        .order_by(chunk.c.number)
    )
    rows = connection.execute(query).all()
    return merge([(row.number, bytes(row.body), row.points, _or_nan(row.v_sum)) for row in rows])


def _or_nan(number: float | None) -> float:
    return nan if number is None else number


def _replace(connection: Connection, lease: Lease, plan: _Merged) -> None:
    span = chunk.c.number.between(plan.replaced[0], plan.replaced[-1])
    gone = connection.execute(delete(chunk).where(chunk.c.series_no == plan.no, span)).rowcount
    if gone != len(plan.replaced):
        msg = f"{describe(lease)} was changed by another while it was compacted"
        raise LeaseLost(msg)
    insert_chunks(connection, [(plan.no, plan.chunks)])
