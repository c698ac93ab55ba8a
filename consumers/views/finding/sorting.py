"""Orders of runs as keys in SQL, none of which is ever NULL: numbers, texts, then what lacks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, case, func, literal, or_

from consumers.views.finding.conditions import stat_of
from consumers.views.finding.tables import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, FromClause

    from consumers.views.finding.tables import Tables
    from synapse_stream.ports.filters.fields import Field

_NUMBER, _TEXT, NOTHING = 0, 1, 2


class Key(NamedTuple):
    """What is sorted by, and whether the largest comes first."""

    by: ColumnElement[Any]
    is_descending: bool

    @property
    def ordered(self) -> ColumnElement[Any]:
        """Return it for ORDER BY."""
        return self.by.desc() if self.is_descending else self.by.asc()


def age(tables: Tables) -> list[Key]:
    """Return the keys of the order of arrival, the newest first: no two runs have the same."""
    return [Key(tables.run.c[name], is_descending=True) for name in ("ms", "seq", "job_no")]


def add(
    source: FromClause, tables: Tables, sort: Sequence[tuple[Field, bool]]
) -> tuple[FromClause, list[Key]]:
    """Join to `source`, which has the runs, what fields are in; return it with the keys of them."""
    keys: list[Key] = []
    for field, is_descending in sort:
        source, number, text = join(source, tables, field)
        kinds = []
        if text is not None:
            kinds.append((text.is_(None), NOTHING))
        if number is not None:
            kinds.append((number.is_not(None), _NUMBER))
        rest = NOTHING if text is None else _TEXT
        keys.append(Key(case(*kinds, else_=rest), is_descending=False))
        if number is not None:
            keys.append(Key(func.coalesce(number, literal(0.0)), is_descending))
        if text is not None:
            as_text = func.coalesce(text, "")
            shown = as_text if number is None else case((number.is_not(None), ""), else_=as_text)
            keys.append(Key(shown, is_descending))
    return source, keys


def behind(keys: Sequence[Key], values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a row comes behind that of which the keys have these values."""
    key, value = keys[0], values[0]
    further = or_(key.by < value if key.is_descending else key.by > value)
    if not keys[1:]:
        return further
    return or_(further, and_(key.by == value, behind(keys[1:], values[1:])))


def join(source: FromClause, tables: Tables, field: Field) -> tuple[FromClause, Any, Any]:
    """Join what a field is in; return the columns that have it as a number and as a text."""
    run = tables.run
    if field.kind == "metrics":
        job, peak = tables.job.alias(), tables.peak.alias()
        of_job = (job.c.projection == METRICS) & (job.c.job_id == run.c.job_id)
        of_metric = (peak.c.job_no == job.c.no) & (peak.c.attempt == run.c.attempt)
        source = source.outerjoin(job, of_job)
        source = source.outerjoin(peak, of_metric & (peak.c.name == field.path[0]))
        return source, stat_of(peak, field.kept), None
    if field.is_number or field.is_time:
        return source, run.c[field.path[0]], None
    if field.name == "status":
        return source, None, run.c.status
    fact = tables.fact.alias()
    of_run = (fact.c.job_no == run.c.job_no) & (fact.c.name == field.name)
    return source.outerjoin(fact, of_run), fact.c.number, fact.c.text
