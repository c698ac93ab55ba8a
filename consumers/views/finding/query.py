"""Runs found page by page: what is few is looked up, the rest is walked in the order wanted.

A comparison that every run must hold, and that an index has few runs for, is looked up. Else runs
are walked by age, or by the metric that they are sorted by first, as far as the page needs; what
lacks that metric is walked after it. Any other order of many runs looks at all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, func, or_, select

from consumers.store.schema import run
from consumers.store.search import contains, matches
from consumers.views.finding import sorting
from consumers.views.finding.conditions import Conditions, required, stat_of
from consumers.views.finding.tables import METRICS, InOrder, keep_order, tables
from synapse_stream.entries.keys import TRAIL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause, Select

    from consumers.views.finding.sorting import Key
    from synapse_stream.ports.filters.fields import Field
    from synapse_stream.ports.filters.search import Wanted

FEW = 10_000
"""Most runs that are looked up; of more it is quicker to walk."""
_MOST_PROBED = 6


class Found(NamedTuple):
    """A run that was found."""

    job_no: int
    job_id: str


class Given(NamedTuple):
    """What must hold besides the filter."""

    status: str | None = None
    action: str | None = None
    text: str | None = None
    """A part of id or action."""
    pattern: str | None = None
    """One of `fnmatchcase` for ids; more may be found."""


def find(
    connection: Connection,
    wanted: Wanted,
    given: Given,
    *,
    after: str | None,
    limit: int,
) -> list[Found]:
    """Return the first runs behind the job `after`, in the order that is wanted.

    Raises:
        ValueError: there is no job `after`.
    """
    search = Search(connection, wanted, given)
    narrow = search.narrow()
    if narrow is None and wanted.sort and wanted.sort[0][0].kind == "metrics":
        return search.walk_metric(after, limit)
    return search.walk(narrow, after, limit)


class Search:
    """One search: what must hold of runs, and where they are found."""

    def __init__(self, connection: Connection, wanted: Wanted, given: Given) -> None:
        self._connection = connection
        self._wanted = wanted
        self.tables = tables(connection)
        self._conditions = Conditions(self.tables, is_sqlite=connection.dialect.name == "sqlite")
        self.where = _given(connection, given)
        if all(field.name != "archived" for field in wanted.fields):
            self.where.append(self._conditions.not_archived())
        if wanted.filter is not None:
            self.where.append(self._conditions.of(wanted.filter))

    def begin(self) -> FromClause:
        """Return a source of runs, with all that are wanted."""
        narrow = self.narrow()
        if narrow is None:
            return run
        keep_order(self._connection)
        return narrow

    def narrow(self) -> FromClause | None:
        """Return a source of few runs, with all that are wanted; None if no such one is known."""
        counted: list[tuple[int, int, str, Select[Any]]] = []
        for part in required(self._wanted.filter)[:_MOST_PROBED]:
            source = self._conditions.looked_up(part)
            if source is not None:
                probe = select(func.count()).select_from(source.limit(FEW + 1).subquery())
                count = self._connection.execute(probe).scalar_one()
                counted.append((count, len(counted), part.field.kind, source))
        if not counted or min(counted)[0] > FEW:
            return None
        *_, kind, source = min(counted)
        few = source.distinct().cte("few")
        if kind != "metrics":
            return InOrder(few, run, run.c.job_no == few.c.job_no)
        job = self.tables.job.alias()
        of_job = (job.c.no == few.c.job_no) & (job.c.projection == METRICS)
        return InOrder(InOrder(few, job, of_job), run, run.c.job_id == job.c.job_id)

    def walk(self, narrow: FromClause | None, after: str | None, limit: int) -> list[Found]:
        """Return runs of `narrow`, or of all, by keys of which none is NULL."""
        if narrow is not None:
            keep_order(self._connection)
        place = self._place(after, self._wanted.sort)
        begin = run if narrow is None else narrow
        return self._page(*self._sorted(begin, self._wanted.sort), place, limit, self.where)

    def walk_metric(self, after: str | None, limit: int) -> list[Found]:
        """Return runs in the order of a metric, then those that lack it."""
        keep_order(self._connection)
        (field, is_descending), *rest = self._wanted.sort
        job, peak = self.tables.job, self.tables.peak
        stat = stat_of(peak, field.kept)
        has_it = and_(peak.c.name == field.path[0], stat.is_not(None))
        place = self._place(after, self._wanted.sort)
        found: list[Found] = []
        if place is None or place[0] != sorting.NOTHING:
            of_job = (job.c.no == peak.c.job_no) & (job.c.projection == METRICS)
            of_run = and_(run.c.job_id == job.c.job_id, run.c.attempt == peak.c.attempt)
            source, keys = self._sorted(InOrder(InOrder(peak, job, of_job), run, of_run), rest)
            keys = [sorting.Key(stat, is_descending), *keys]
            behind = None if place is None else place[1:]
            found = self._page(source, keys, behind, limit, [*self.where, has_it])
            place = None
        if len(found) == limit:
            return found
        its_own = self.tables.of_peak(job, peak)
        lacks_it = ~select(1).where(its_own, has_it).correlate(run).exists()
        behind = None if place is None else place[2:]
        where = [*self.where, lacks_it]
        return found + self._page(*self._sorted(run, rest), behind, limit - len(found), where)

    def _sorted(
        self, source: FromClause, sort: Sequence[tuple[Field, bool]]
    ) -> tuple[FromClause, list[Key]]:
        source, keys = sorting.add(source, self.tables, sort)
        return source, [*keys, *sorting.age(self.tables)]

    def _place(self, after: str | None, sort: Sequence[tuple[Field, bool]]) -> Sequence[Any] | None:
        """Return what the job to go on behind has for the keys of an order."""
        if after is None:
            return None
        source, keys = self._sorted(run, sort)
        query = select(*(key.by for key in keys)).select_from(source)
        row = self._connection.execute(query.where(run.c.job_id == after)).first()
        if row is None:
            msg = f"after={after!r}: there is no such job"
            raise ValueError(msg)
        return tuple(row)

    def _page(
        self,
        source: FromClause,
        keys: Sequence[Key],
        place: Sequence[Any] | None,
        limit: int,
        where: Sequence[ColumnElement[bool]],
    ) -> list[Found]:
        query = select(run.c.job_no, run.c.job_id).select_from(source).where(*where)
        if place is not None:
            (by, is_descending), *_ = keys
            bound = by <= place[0] if is_descending else by >= place[0]
            query = query.where(bound, sorting.behind(keys, place))
        query = query.order_by(*(key.ordered for key in keys)).limit(limit)
        return [Found(*row) for row in self._connection.execute(query)]


def _given(connection: Connection, given: Given) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [run.c.job_id != TRAIL]
    if given.status is not None:
        where.append(run.c.status == given.status)
    if given.action is not None:
        where.append(run.c.action == given.action)
    if given.text:
        parts = (contains(connection, one, given.text) for one in (run.c.job_id, run.c.action))
        where.append(or_(*(func.coalesce(part, False) for part in parts)))
    if given.pattern is not None:
        where += matches(connection, run.c.job_id, given.pattern)
    return where
