"""Run states: what jobs are listed by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from consumers.store.documents import LARGE
from consumers.store.schema import job, run
from consumers.store.sql import driver_of
from consumers.store.table import Table
from consumers.views.run_state import brief
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.reading import latest_attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from consumers.store.jobs import JobWrite

_SAVE_ON_SQLITE = """
INSERT INTO run (job_no, job_id, ms, seq, status, action, shed, brief)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_no)
DO UPDATE SET job_id = excluded.job_id, status = excluded.status, action = excluded.action,
    shed = excluded.shed, brief = excluded.brief
WHERE run.job_id <> excluded.job_id OR run.status <> excluded.status
    OR coalesce(run.action, '') <> coalesce(excluded.action, '')
    OR run.shed <> excluded.shed OR excluded.brief IS NOT NULL OR run.brief IS NOT NULL"""

_SAVE_ON_POSTGRES = """
INSERT INTO run (job_no, job_id, ms, seq, status, action, shed, brief)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
    %s::bigint[], %s::bytea[])
ON CONFLICT (job_no)
DO UPDATE SET job_id = excluded.job_id, status = excluded.status, action = excluded.action,
    shed = excluded.shed, brief = excluded.brief
WHERE run.job_id <> excluded.job_id OR run.status <> excluded.status
    OR coalesce(run.action, '') <> coalesce(excluded.action, '')
    OR run.shed <> excluded.shed OR excluded.brief IS NOT NULL OR run.brief IS NOT NULL"""


class RunTable(Table):
    """A row a job."""

    def show(self, connection: Connection, jobs: Sequence[tuple[int, JobWrite]]) -> None:
        """List jobs, or note their new status and action.

        A job of which no event could be folded yet is not listed.
        """
        records = [record for no, written in jobs if (record := _record(no, written)) is not None]
        if not records:
            return
        driver = driver_of(connection)
        if connection.dialect.name == "sqlite":
            driver.executemany(_SAVE_ON_SQLITE, records)
        else:
            columns = [list(column) for column in zip(*records, strict=True)]
            driver.execute(_SAVE_ON_POSTGRES, columns)

    def fault(self, connection: Connection, job_no: int, document: bytes) -> str | None:
        """Return what the list says otherwise."""
        if orjson.loads(document)["v"] != RunStateView.version:
            return None
        told = _told(document)
        owner = select(job.c.job_id).where(job.c.no == job_no).scalar_subquery()
        columns = (run.c.status, run.c.action, run.c.shed, run.c.brief, run.c.job_id == owner)
        row = connection.execute(select(*columns).where(run.c.job_no == job_no)).first()
        found = None if row is None else tuple(row)
        expected = told and (*told, True)
        return None if found == expected else f"the list has {found!r:.200}"


def _record(job_no: int, written: JobWrite) -> tuple[Any, ...] | None:
    told = _told(written.document)
    return told and (job_no, written.job_id, *written.entry, *told)


def _told(document: bytes) -> tuple[Any, ...] | None:
    """Return what lists show of a document: status, action, what was shed, and its brief."""
    content = orjson.loads(document)
    view = content["view"]
    number = latest_attempt(view)
    if number is None:
        return None
    latest = view["attempts"][number]
    shown = brief.write(content) if len(document) > LARGE else None
    marks = content["ledger"]["producers"].values()
    shed = sum(sum(mark["shed"].values()) for mark in marks if "shed" in mark)
    return (latest["status"], latest["action"], shed, shown)
