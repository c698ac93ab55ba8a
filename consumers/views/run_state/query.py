"""Run states: which jobs there are, page by page, as lists show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, exists, func, literal_column, or_, select, tuple_

from consumers.store.documents import whole
from consumers.store.found import fact
from consumers.store.schema import change, job, run
from consumers.store.search import contains, matches
from consumers.store.sql import slices
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.keys import TRAIL
from synapse_stream.entries.position import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Select

    from synapse_stream.models import RunStatus

PROJECTION = RunStateView.name


class Listed(NamedTuple):
    """A job as lists have it: its document, or of a large one what is shown of it."""

    job_id: str
    document: bytes | None
    brief: bytes | None
    status: str | None
    action: str | None
    ms: int | None
    """When its first entry arrived; like status and action this is kept beside the document."""


_age = (run.c.ms, run.c.seq, run.c.job_no)


def read_page(
    connection: Connection,
    *,
    status: RunStatus | None,
    action: str | None,
    text: str | None,
    pattern: str | None,
    after: str | None,
    limit: int,
) -> list[Listed]:
    """Return jobs, newest first, behind the job `after`: none that is archived, nor the trail.

    A job's place never changes, so paging skips and repeats none, whatever is written meanwhile.

    Raises:
        ValueError: there is no job `after`.
    """
    archived = (fact.c.job_no == run.c.job_no) & (fact.c.name == "archived")
    filters = [run.c.job_id != TRAIL, ~exists(select(1).where(archived))]
    if status is not None:
        filters.append(run.c.status == str(status))
    if action is not None:
        filters.append(run.c.action == action)
    if text:
        filters.append(
            or_(*(contains(connection, column, text) for column in (run.c.job_id, run.c.action)))
        )
    if pattern is not None:
        named = matches(connection, job.c.job_id, pattern)
        of_name = select(job.c.no).where(job.c.projection == PROJECTION, *named)
        filters.append(run.c.job_no.in_(of_name))
    if after is not None:
        filters.append(tuple_(*_age) < tuple_(*_place(connection, after)))
    newest_first = [column.desc() for column in _age]
    known = select(run).join(job, job.c.no == run.c.job_no).where(job.c.projection == PROJECTION)
    listed = known.where(*filters).order_by(*newest_first).limit(limit).subquery()
    query = (
        _listed(listed)
        .join(listed, listed.c.job_no == job.c.no)
        .order_by(listed.c.ms.desc(), listed.c.seq.desc(), listed.c.job_no.desc())
    )
    return [_read(row) for row in connection.execute(query)]


def read_listed(connection: Connection, job_ids: Sequence[str]) -> list[Listed]:
    """Return some jobs as lists have them."""
    found: list[Listed] = []
    for some in slices(job_ids):
        of_jobs = (job.c.projection == PROJECTION) & job.c.job_id.in_(some)
        query = _listed(run).outerjoin(run, run.c.job_no == job.c.no).where(of_jobs)
        found += [_read(row) for row in connection.execute(query)]
    return found


def _listed(table: Any) -> Select[Any]:
    """Return a SELECT of jobs; documents come only of those that are not large."""
    is_whole = table.c.brief.is_(None)
    return select(
        job.c.job_id,
        *(table.c[name] for name in ("brief", "status", "action", "ms")),
        case((is_whole, job.c.document)).label("document"),
        case((is_whole, change.c.body)).label("body"),
    ).outerjoin_from(job, change, change.c.job_no == job.c.no)


def _read(row: Any) -> Listed:
    beside = (row.status, row.action, row.ms)
    if row.brief is not None:
        return Listed(row.job_id, None, row.brief, *beside)
    return Listed(row.job_id, whole(row.document, row.body), None, *beside)


def arrivals(connection: Connection, job_ids: Sequence[str]) -> dict[str, Position]:
    """Return what jobs are listed by: where their first entries stand; `index` parts equals."""
    found: dict[str, Position] = {}
    for some in slices(job_ids):
        query = (
            select(job.c.job_id, *_age)
            .join(run, run.c.job_no == job.c.no)
            .where(job.c.projection == PROJECTION, job.c.job_id.in_(some))
        )
        found.update((job_id, Position(*age)) for job_id, *age in connection.execute(query))
    return found


def count_shed(connection: Connection) -> int:
    """Return how many events producers have given up, of all jobs and attempts."""
    query = select(func.coalesce(func.sum(run.c.shed), 0)).where(run.c.shed > literal_column("0"))
    return int(connection.execute(query).scalar_one())


def _place(connection: Connection, job_id: str) -> Sequence[int]:
    query = (
        select(*_age)
        .join(job, job.c.no == run.c.job_no)
        .where(job.c.projection == PROJECTION, job.c.job_id == job_id)
    )
    found = connection.execute(query).first()
    if found is None:
        msg = f"after={job_id!r}: there is no such job"
        raise ValueError(msg)
    return tuple(found)
