"""Filters as conditions in SQL. They hold for the runs that `tests/support/meaning.py` says."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, false, func, not_, or_, select, true

from synapse_stream.ports.filters.facts import LONGEST_TEXT
from synapse_stream.ports.filters.language import Both, Comparison, Not

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement, Select

    from consumers.views.finding.tables import Tables
    from synapse_stream.ports.filters.language import Filter, Value

    Condition = ColumnElement[bool]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_STATS = {"min": "low", "max": "high", "last": "last"}
_LOOKED_UP = frozenset({"=", "<", "<=", ">", ">=", "IN"})


class Conditions:
    """Makes conditions on rows of `run`."""

    def __init__(self, tables: Tables, *, is_sqlite: bool) -> None:
        self._tables = tables
        self._is_sqlite = is_sqlite

    def of(self, part: Filter) -> Condition:
        """Return the condition that a filter holds; it is never NULL."""
        if isinstance(part, Not):
            return not_(self.of(part.part))
        if isinstance(part, Both):
            return (or_ if part.is_any else and_)(*map(self.of, part.parts))
        field, run = part.field, self._tables.run.c
        if field.kind == "metrics":
            job, peak = self._tables.job, self._tables.peak
            of_run = self._tables.of_peak(job, peak)
            return exists(select(1).where(of_run, self._of_peak(part)).correlate(self._tables.run))
        if field.is_number or field.is_time:
            return self._of_column(part)
        if field.name == "status":
            return run.status.is_not(None) & self._of_text(part, run.status, run.status, None)
        fact = self._tables.fact
        of_run = (fact.c.job_no == run.job_no) & (fact.c.name == field.name)
        return exists(select(1).where(of_run, self._of_fact(part)))

    def not_archived(self) -> Condition:
        """Return the condition that a run is not put away."""
        fact = self._tables.fact
        of_run = (fact.c.job_no == self._tables.run.c.job_no) & (fact.c.name == "archived")
        return not_(exists(select(1).where(of_run)))

    def looked_up(self, part: Comparison) -> Select[Any] | None:
        """Return a SELECT of what an index has for a comparison; None if none can tell.

        Its rows are numbers of jobs: of the runs, or of a metric those in the metric histories.
        """
        field, run = part.field, self._tables.run.c
        if part.operator not in _LOOKED_UP:
            return None
        if field.kind == "metrics":
            return select(self._tables.peak.c.job_no).where(self._of_peak(part))
        if field.name == "status" and part.operator in {"=", "IN"}:
            return select(run.job_no).where(run.status.in_(list(map(str, part.values))))
        is_plain = field.is_number or field.is_time or field.name == "status"
        is_text = any(isinstance(value, str) for value in part.values)
        if is_plain or (is_text and part.operator not in {"=", "IN"}):
            return None
        fact = self._tables.fact.c
        return select(fact.job_no).where(fact.name == field.name, self._of_fact(part))

    def _of_fact(self, part: Comparison) -> Condition:
        fact = self._tables.fact.c
        return self._of_text(part, fact.text, func.coalesce(fact.folded, fact.text), fact.number)

    def _of_text(self, part: Comparison, text: Any, folded: Any, number: Any) -> Condition:
        if part.operator in {"LIKE", "ILIKE"}:
            is_exact = part.operator == "LIKE"
            return self._like(text if is_exact else folded, str(part.values[0]), is_exact=is_exact)
        return or_(*(_compared(part.operator, value, text, number) for value in part.values))

    def _of_column(self, part: Comparison) -> Condition:
        column = self._tables.run.c[part.field.path[0]]
        compare = _OPERATORS["=" if part.operator == "IN" else part.operator]
        held = or_(*(compare(column, value) for value in part.values))
        return and_(column.is_not(None), held)

    def _of_peak(self, part: Comparison) -> Condition:
        peak = self._tables.peak.c
        number = peak[_STATS[part.field.kept]]
        held = or_(*(_compared(part.operator, value, None, number) for value in part.values))
        is_there = true() if part.field.kept == "last" else number.is_not(None)
        return and_(peak.name == part.field.path[0], is_there, held)

    def _like(self, text: Any, pattern: str, *, is_exact: bool) -> Condition:
        if not is_exact:
            pattern = pattern.lower()
        if not self._is_sqlite:
            escaped: Condition = text.like(pattern.replace("\\", "\\\\"))
            return escaped
        if not is_exact:  # its LIKE takes letters in either case, and these are small ones all
            small: Condition = text.like(pattern)
            return small
        signs = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
        glob: Condition = text.op("GLOB")("".join(signs.get(sign, sign) for sign in pattern))
        return glob


def stat_of(peak: Any, kept: str) -> Any:
    """Return the column of a metric's last, lowest or highest value."""
    return peak.c[_STATS[kept]]


def required(part: Filter | None) -> list[Comparison]:
    """Return the comparisons that hold for every run that a filter finds."""
    if isinstance(part, Comparison):
        return [part]
    if isinstance(part, Both) and not part.is_any:
        return [found for one in part.parts for found in required(one)]
    return []


def _compared(sign: str, value: Value, text: Any, number: Any) -> Condition:
    sign = "=" if sign == "IN" else sign
    compare = _OPERATORS[sign]
    if isinstance(value, str):
        condition: Condition = compare(text, value[:LONGEST_TEXT])
        return condition
    if number is None:
        return true() if sign == "!=" else false()
    if sign == "!=":
        return or_(number.is_(None), number != value)
    return and_(number.is_not(None), compare(number, value))
