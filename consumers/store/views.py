"""The views as readers get them: the port `synapse_stream.views.Views` on SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_

from consumers.overview import Bucketing
from consumers.projections import reading
from consumers.projections.base import begin_points
from consumers.store import folds, histories, messages, metrics, parked, runs
from consumers.store.databases import Databases
from consumers.store.schema import series
from synapse_stream.position import Position
from synapse_stream.views import Axis, MessagePage, Overview, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.models import RunStatus
    from synapse_stream.settings import Settings
    from synapse_stream.views import RunState, SeriesKey, SeriesSummary

PROJECTIONS = (runs.PROJECTION, metrics.PROJECTION, messages.PROJECTION)


class StoredViews:
    """What was last committed of every job. Readers lock nobody out, and nobody them.

    Each answer comes from one state of the database. Every method raises StoreUnavailable when the
    database cannot be read; they may be called from several threads.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def jobs(
        self,
        *,
        status: RunStatus | None = None,
        action: str | None = None,
        text: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[RunState]:
        """Return jobs, the newest first; `after` is the last job id of the page before.

        Raises:
            ValueError: there is no job `after`.
        """
        with self._databases.of(runs.PROJECTION).read("listing jobs") as connection:
            page = runs.read_page(
                connection, status=status, action=action, text=text, after=after, limit=limit
            )
        counts = self._parked([job_id for job_id, _ in page])
        states = (reading.run_state(job, text, counts.get(job, 0)) for job, text in page)
        return [state for state in states if state is not None]

    def state(self, job_id: str) -> RunState | None:
        """Return a job's run state; None for a job that is not known."""
        found = folds.load(self._databases.of(runs.PROJECTION), runs.PROJECTION, [job_id])
        if job_id not in found:
            return None
        return reading.run_state(job_id, found[job_id], self._parked([job_id]).get(job_id, 0))

    def series(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
    ) -> list[SeriesSummary]:
        """Return the job's series that match, by key; None means all."""
        wanted = {"name": name, "step": step, "rank": rank, "attempt": attempt}
        with self._databases.of(metrics.PROJECTION).read("listing series") as connection:
            job_no = folds.number(connection, metrics.PROJECTION, job_id)
            filters = [series.c[key] == value for key, value in wanted.items() if value is not None]
            return histories.read_summaries(connection, and_(series.c.job_no == job_no, *filters))

    def points(self, job_id: str, key: SeriesKey) -> Series:
        """Return every point of a series; an unknown series is an empty one."""
        with self._databases.of(metrics.PROJECTION).read("reading a series") as connection:
            no = histories.find_series(connection, job_id, key)
            found = begin_points(0) if no is None else histories.read_points(connection, no)
        positions = list(map(Position, found.ms, found.seq, found.index))
        return Series(key, found.values, found.times, found.xs, positions)

    def overview(
        self,
        job_id: str,
        key: SeriesKey,
        *,
        buckets: int = 1000,
        axis: Axis = Axis.INDEX,
        start: float | None = None,
        stop: float | None = None,
    ) -> Overview:
        """Return a series from `start` to `stop` of the axis, in at most so many buckets.

        Of chunks that are narrower than a bucket only the stats are read.
        """
        with self._databases.of(metrics.PROJECTION).read("reading a series") as connection:
            no = histories.find_series(connection, job_id, key)
            if no is None:
                return Overview(key, axis, 0, [])
            plan = Bucketing(histories.read_sketches(connection, no), axis, buckets, start, stop)
            bodies = histories.read_bodies(connection, no, plan.wanted) if plan.wanted else {}
        found = plan.build(bodies)
        return Overview(key, axis, sum(bucket.points for bucket in found), found)

    def messages(
        self,
        job_id: str,
        *,
        kinds: Sequence[str] = ("message",),
        levels: Sequence[str] | None = None,
        step: str | None = None,
        text: str | None = None,
        after: Position | None = None,
        before: Position | None = None,
        limit: int = 100,
        language: str | None = None,
    ) -> MessagePage:
        """Return messages behind `after`, or the last ones before `before`; both exclusive.

        Without both it is the first ones, and with both the first ones between them.
        """
        wanted = messages.Filter(kinds, levels, step, text, after, before)
        with self._databases.of(messages.PROJECTION).read("reading messages") as connection:
            rows = messages.read_page(connection, job_id, wanted, limit + 1)
        has_more = len(rows) > limit
        if has_more:
            rows = rows[1:] if wanted.is_backward else rows[:-1]
        return MessagePage([reading.message(row, language) for row in rows], has_more)

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self._databases.close()

    def _parked(self, job_ids: Sequence[str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for database in self._databases.all_of(PROJECTIONS):
            with database.read("counting parked events") as connection:
                for job_id, number in parked.count(connection, job_ids).items():
                    counts[job_id] = counts.get(job_id, 0) + number
        return counts


def open_views(settings: Settings) -> StoredViews:
    """Open the views of a deployment; a database is opened when it is first needed.

    Raises:
        ConfigError: the store's URL is wrong, or its driver is not installed.
    """
    return StoredViews(Databases(settings))
