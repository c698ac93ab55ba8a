"""The tables that runs are found in, and joins whose order is kept.

On SQLite the metrics are in a file of their own, which is attached as `METRICS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Join, MetaData
from sqlalchemy.ext.compiler import compiles

from consumers.store.found import fact, peak
from consumers.store.schema import job, run
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.run_state.fold import RunStateView

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, FromClause, Table

PROJECTION = RunStateView.name
METRICS = MetricHistoryView.name

_beside = MetaData()
_job_beside = job.to_metadata(_beside, schema=METRICS)
_peak_beside = peak.to_metadata(_beside, schema=METRICS)
_AS_WRITTEN = (
    "SET LOCAL join_collapse_limit = 1",
    "SET LOCAL enable_hashjoin = off",
    "SET LOCAL enable_mergejoin = off",
    "SET LOCAL jit = off",
)


class Tables(NamedTuple):
    """What a connection finds runs in."""

    run: Table
    fact: Table
    job: Table
    """The jobs of the metric histories."""
    peak: Table

    def of_peak(self, job: FromClause, peak: FromClause) -> ColumnElement[bool]:
        """Return the condition that a peak belongs to the latest attempt of a run."""
        return (
            (job.c.projection == METRICS)
            & (job.c.job_id == self.run.c.job_id)
            & (peak.c.job_no == job.c.no)
            & (peak.c.attempt == self.run.c.attempt)
        )


def tables(connection: Connection) -> Tables:
    """Return the tables of a connection."""
    if connection.dialect.name == "sqlite":
        return Tables(run, fact, _job_beside, _peak_beside)
    return Tables(run, fact, job, peak)


class InOrder(Join):
    """A join whose left side is read first: what is few, or already in the order that is wanted."""

    inherit_cache = True


@compiles(InOrder, "sqlite")
def _cross(join: InOrder, compiler: Any, **options: Any) -> str:
    written: str = compiler.visit_join(join, **{**options, "asfrom": True})
    left: str = compiler.process(join.left, **{**options, "asfrom": True})
    return f"{left} CROSS{written.removeprefix(left)}"


def keep_order(connection: Connection) -> None:
    """Have PostgreSQL join as it is written: it knows little of how often facts are met."""
    if connection.dialect.name != "sqlite":
        for setting in _AS_WRITTEN:
            connection.exec_driver_sql(setting)
