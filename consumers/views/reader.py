"""The views as readers get them: the port `synapse_stream.ports.views.Views` on SQL."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import orjson

from consumers.errors import StoreUnavailable
from consumers.folding.fold import position_in
from consumers.views.beside import known_beside
from consumers.views.listing import ListedRuns
from consumers.views.message_feed import query as messages
from consumers.views.message_feed import reading as feeds
from consumers.views.metric_history import query as histories
from consumers.views.metric_history.known import quotas_of
from consumers.views.metric_history.overview import Bucketing
from consumers.views.metric_history.rows import begin_points
from consumers.views.of_packages import reader as of_packages
from consumers.views.run_state import reading
from consumers.views.run_state.query import PROJECTION as RUNS
from synapse_stream.entries.position import Position, Positions
from synapse_stream.ports.views import Axis, Beside, MessagePage, Overview, Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from consumers.views.metric_history.rows import Points
    from synapse_stream.ports.views import RunState, SeriesKey, SeriesSummary, ViewState


class StoredViews(ListedRuns):
    """What was last committed of every job. Readers lock nobody out, and nobody them.

    Each answer comes from one state of the database. Every method raises StoreUnavailable when the
    database cannot be read, and of one job Unreadable when that is damaged, which is noted; they
    may be called from several threads.
    """

    def state(self, job_id: str) -> RunState | None:
        """Return a job's run state; None for a job that is not known."""
        found = self._databases.load(RUNS, [job_id])
        if job_id not in found:
            return None
        beside = self.beside([job_id])[job_id]
        with self._damage.found(RUNS, job_id):
            return reading.stored(job_id, found[job_id], beside)

    def beside(self, job_ids: Sequence[str]) -> dict[str, Beside]:
        """Return by job what a `state` has of it that does not come from its run state.

        A database that cannot be read costs only what it has.
        """
        beside, quotas = known_beside(self._databases, job_ids), {}
        with suppress(StoreUnavailable):
            found = self._databases.load(histories.PROJECTION, job_ids)
            quotas = {job_id: quotas_of(document) for job_id, document in found.items()}
        return {one: beside[one]._replace(quotas=quotas.get(one, ())) for one in job_ids}

    def position(self, projection: str, job_id: str) -> Position | None:
        """Return where the last event stands that a view has taken in; None for an unknown job.

        What is read of that view afterwards has at least as much. An event that was parked counts
        as taken in.
        """
        found = self._databases.load(projection, [job_id])
        if job_id not in found:
            return None
        with self._damage.found(projection, job_id):
            return position_in(orjson.loads(found[job_id]))

    def series(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
        only_latest: bool = False,
        after: SeriesKey | None = None,
        limit: int | None = None,
    ) -> list[SeriesSummary]:
        """Return the job's series that match, by key; None means all.

        With `only_latest` those of several attempts are told of once, by the latest that has them.
        `after` is the last key of the page before.
        """
        wanted = {"name": name, "step": step, "rank": rank, "attempt": attempt}
        with self._reading(histories.PROJECTION, job_id, "listing series") as connection:
            return histories.read_summaries(
                connection, job_id, wanted, after, limit, only_latest=only_latest
            )

    def points(self, job_id: str, key: SeriesKey, *, until: Position | None = None) -> Series:
        """Return every point of a series up to and with `until`; an unknown series is empty."""
        with self._reading(histories.PROJECTION, job_id, "reading a series") as connection:
            no = histories.find_series(connection, job_id, key)
            found = begin_points(0) if no is None else histories.read_points(connection, no, until)
        return _series(key, found)

    def courses(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
    ) -> Iterator[Series]:
        """Yield the job's series that match, by key, each with every point."""
        for found in self.series(job_id, name=name, step=step, rank=rank, attempt=attempt):
            yield self.points(job_id, found.key)

    def pieces(
        self, job_id: str, key: SeriesKey, *, until: Position | None = None
    ) -> Iterator[Series]:
        """Yield the points of a series as `points` has them, some at a time.

        Points that come meanwhile come, too, unless `until` says how far to go. No more than what
        is yielded next is in memory, and between two yields no transaction is open.
        """
        taken, last = 0, None
        while True:
            with self._reading(histories.PROJECTION, job_id, "reading a series") as connection:
                no = histories.find_series(connection, job_id, key)
                found = (
                    [] if no is None else histories.read_behind(connection, no, taken, last, until)
                )
            if not found:
                return
            last = found[-1].place
            taken = last.begin + found[-1].end
            with self._damage.found(histories.PROJECTION, job_id):
                points = histories.points_of(found, until)
            found.clear()  # while the points are used they need not be kept packed, too
            yield _series(key, points)

    def overview(
        self,
        job_id: str,
        key: SeriesKey,
        *,
        buckets: int = 1000,
        axis: Axis = Axis.INDEX,
        start: float | None = None,
        stop: float | None = None,
        until: Position | None = None,
    ) -> Overview:
        """Return a series from `start` to `stop` of the axis, in at most so many buckets.

        With `until` it is as it was when that position was the newest. Of chunks that are narrower
        than a bucket only the stats are read.
        """
        with self._damage.found(histories.PROJECTION, job_id):
            with self._databases.reading(histories.PROJECTION, "reading a series") as connection:
                no = histories.find_series(connection, job_id, key)
                if no is None:
                    return Overview(key, axis, 0, Bucketing([], axis, buckets).build({}))
                sketches, bodies = histories.read_sketches(connection, no, until)
                plan = Bucketing(sketches, axis, buckets, start, stop)
                wanted = [number for number in plan.wanted if number not in bodies]
                bodies.update(histories.read_bodies(connection, no, wanted))
            columns = plan.build(bodies)
        return Overview(key, axis, int(columns["points"].sum()), columns)

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
        until: Position | None = None,
        limit: int = 100,
        language: str | None = None,
    ) -> MessagePage:
        """Return the first messages behind `after`; without it the last ones.

        Either way only those before `before` and up to `until`: `until` alone is inclusive.
        """
        wanted = messages.Filter(kinds, levels, step, text, after, before, until)
        with self._damage.found(messages.PROJECTION, job_id):
            with self._databases.reading(messages.PROJECTION, "reading messages") as connection:
                rows = messages.read_page(connection, job_id, wanted, limit + 1)
            has_more = len(rows) > limit
            if has_more:
                rows = rows[1:] if wanted.is_backward else rows[:-1]
            return MessagePage([feeds.message(row, language) for row in rows], has_more)

    def view(
        self, name: str, job_id: str, *, after: int = -1, limit: int = 100
    ) -> ViewState | None:
        """Return what the view of another package has of a job; None for an unknown job.

        Its rows are the first ones behind the number `after`.

        Raises:
            LookupError: there is no such view.
        """
        return of_packages.read_view(self._databases, name, job_id, after=after, limit=limit)

    def view_of_jobs(self, name: str, *, after: str = "", limit: int = 100) -> list[ViewState]:
        """Return what such a view has of jobs, by their ids, without rows.

        `after` is the last id seen. Raises LookupError as `view`.
        """
        return of_packages.read_jobs(self._databases, name, after=after, limit=limit)

    def view_of(self, name: str, job_ids: Sequence[str]) -> list[ViewState]:
        """Return what such a view has of some jobs, without rows; unknown ones are left out."""
        return of_packages.read_some(self._databases, name, job_ids)

    def close(self) -> None:
        """Disconnect. A later call would connect again."""
        self._databases.close()

    @contextmanager
    def _reading(self, projection: str, job_id: str, doing: str) -> Iterator[Connection]:
        """Open a transaction that reads of one job; what cannot be read is a finding on it."""
        with (
            self._damage.found(projection, job_id),
            self._databases.reading(projection, doing) as connection,
        ):
            yield connection


def _series(key: SeriesKey, found: Points) -> Series:
    positions = Positions(found.ms, found.seq, found.index)
    return Series(key, found.values, found.times, found.xs, positions)
