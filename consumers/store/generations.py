"""Two generations of a job's view: the live one, and one beside it that nobody reads.

Rows refer to jobs by number, so a generation is one row of `job` under a name of its own, and what
refers to it: `<projection>-new` while it is folded, `<projection>-old` after it was live. The two
change places by exchanging what refers to them; a job's number, and with it its place in lists,
stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from consumers.store import folds
from consumers.store.documents import framed, whole
from consumers.store.schema import change, chunk, job, lane, mark, message, parked, series

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from consumers.store.checkpoints import Lease

_ROWS_AT_ONCE = 5_000
_CHUNKS_AT_ONCE = 200
_PARTS = (
    (series, chunk.c.series_no, chunk.c.number, _CHUNKS_AT_ONCE),
    (lane, message.c.lane_no, message.c.ms, _ROWS_AT_ONCE),
)


def new(projection: str) -> str:
    """Name the generation that is being folded."""
    return f"{projection}-new"


def old(projection: str) -> str:
    """Name the generation that was live before."""
    return f"{projection}-old"


def exchange(
    connection: Connection, lease: Lease, staged: str, job_id: str, document: bytes
) -> int:
    """Make the generation `staged` the live one, with `document`, and the live one the old one.

    A job that was not known has no old one. Returns the number of the live one.
    """
    live = connection.execute(folds.read(job.c.no).where(_is(lease.projection, job_id))).first()
    other = folds.number(connection, staged, job_id)
    number = folds.save(connection, lease, [(job_id, document)])[job_id]
    for table in (series, lane, mark):
        _swap(connection, table, table.c.job_no, number, other, -number)
    here = parked.c.job_id == job_id
    _swap(connection, parked, parked.c.projection, lease.projection, staged, f"{staged}-swap", here)
    connection.execute(delete(change).where(change.c.job_no == other))
    if live is None:
        connection.execute(delete(job).where(job.c.no == other))
    else:
        name, before = old(lease.projection), framed(whole(live.document, live.body))
        connection.execute(
            update(job).where(job.c.no == other).values(projection=name, document=before)
        )
        moved = update(parked).where(here, parked.c.projection == staged)
        connection.execute(moved.values(projection=name))
    return number


def clear(connection: Connection, name: str, job_id: str) -> bool:
    """Delete some of a generation; return True when nothing is left of it."""
    no = folds.number(connection, name, job_id)
    if no is None:
        return True
    for table, owner, order, most in _PARTS:
        part = connection.execute(select(table.c.no).where(table.c.job_no == no).limit(1)).scalar()
        if part is not None:
            edge = select(order).where(owner == part).order_by(order).offset(most).limit(1)
            last = connection.execute(edge).scalar()
            some = delete(owner.table).where(owner == part)
            connection.execute(some if last is None else some.where(order <= last))
            if last is None:
                connection.execute(delete(table).where(table.c.no == part))
            return False
    connection.execute(delete(parked).where(parked.c.projection == name, parked.c.job_id == job_id))
    connection.execute(delete(mark).where(mark.c.job_no == no))
    connection.execute(delete(change).where(change.c.job_no == no))
    connection.execute(delete(job).where(job.c.no == no))
    return True


def _swap(
    connection: Connection,
    table: Any,
    column: Any,
    one: Any,
    two: Any,
    between: Any,
    *where: ColumnElement[bool],
) -> None:
    for here, there in ((one, between), (two, one), (between, two)):
        connection.execute(update(table).where(column == here, *where).values({column: there}))


def _is(projection: str, job_id: str) -> ColumnElement[bool]:
    return (job.c.projection == projection) & (job.c.job_id == job_id)
