"""Run states: what jobs are listed by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import case, func, literal_column, or_, select, tuple_

from consumers.store.documents import LARGE, whole
from consumers.store.engine import driver_of
from consumers.store.schema import change, job, run
from consumers.store.search import contains, matches
from consumers.store.slices import slices
from consumers.views.run_state import brief
from consumers.views.run_state import mark_table as marks
from consumers.views.run_state.reading import latest_attempt
from synapse_stream.entries.position import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from consumers.store.store import JobWrite
    from synapse_stream.models import RunStatus

PROJECTION = "run-state"

_SAVE_ON_SQLITE = """
INSERT INTO run (job_no, job_id, ms, seq, status, action, shed, brief)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_no)
DO UPDATE SET status = excluded.status, action = excluded.action, shed = excluded.shed,
    brief = excluded.brief
WHERE run.status <> excluded.status OR coalesce(run.action, '') <> coalesce(excluded.action, '')
    OR run.shed <> excluded.shed OR excluded.brief IS NOT NULL OR run.brief IS NOT NULL"""

_SAVE_ON_POSTGRES = """
INSERT INTO run (job_no, job_id, ms, seq, status, action, shed, brief)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
    %s::bigint[], %s::bytea[])
ON CONFLICT (job_no)
DO UPDATE SET status = excluded.status, action = excluded.action, shed = excluded.shed,
    brief = excluded.brief
WHERE run.status <> excluded.status OR coalesce(run.action, '') <> coalesce(excluded.action, '')
    OR run.shed <> excluded.shed OR excluded.brief IS NOT NULL OR run.brief IS NOT NULL"""


class Listed(NamedTuple):
    """A job as lists have it: its document, or of a large one what is shown of it."""

    job_id: str
    document: bytes | None
    brief: bytes | None


_age = (run.c.ms, run.c.seq, run.c.job_no)


def write(connection: Connection, jobs: Sequence[tuple[int, JobWrite]]) -> None:
    """List jobs, which are given with their numbers, or note their new status and action.

    A job of which no event could be folded yet is not listed.
    """
    marks.write(connection, [(no, written.rows) for no, written in jobs])
    records = [record for no, written in jobs if (record := _record(no, written)) is not None]
    if not records:
        return
    driver = driver_of(connection)
    if connection.dialect.name == "sqlite":
        driver.executemany(_SAVE_ON_SQLITE, records)
    else:
        driver.execute(_SAVE_ON_POSTGRES, [list(column) for column in zip(*records, strict=True)])


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
    """Return jobs, newest first, behind the job `after`.

    A job's place never changes, so paging skips and repeats none, whatever is written meanwhile.

    Raises:
        ValueError: there is no job `after`.
    """
    filters: list[ColumnElement[bool]] = []
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
    listed = select(run).where(*filters).order_by(*newest_first).limit(limit).subquery()
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
        table.c.brief,
        case((is_whole, job.c.document)).label("document"),
        case((is_whole, change.c.body)).label("body"),
    ).outerjoin_from(job, change, change.c.job_no == job.c.no)


def _read(row: Any) -> Listed:
    if row.brief is not None:
        return Listed(row.job_id, None, bytes(row.brief))
    return Listed(row.job_id, whole(row.document, row.body), None)


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


def _record(job_no: int, written: JobWrite) -> tuple[Any, ...] | None:
    content = orjson.loads(written.document)
    view = content["view"]
    number = latest_attempt(view)
    if number is None:
        return None
    latest = view["attempts"][number]
    shown = brief.write(content) if len(written.document) > LARGE else None
    marks = content["ledger"]["producers"].values()
    shed = sum(sum(mark["shed"].values()) for mark in marks if "shed" in mark)
    told = (latest["status"], latest["action"], shed, shown)
    return (job_no, written.job_id, *written.entry, *told)
