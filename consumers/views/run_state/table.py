"""Run states: what jobs are listed by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.store.documents import LARGE
from consumers.store.sql import driver_of
from consumers.store.table import Table
from consumers.views.run_state import brief
from consumers.views.run_state.reading import latest_attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from consumers.store.jobs import JobWrite

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
