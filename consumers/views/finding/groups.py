"""Runs that are found, in groups by a field, each group in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from consumers.store.schema import run
from consumers.views.finding import sorting
from synapse_stream.ports.filters.search import Group, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from consumers.views.finding.query import Search
    from synapse_stream.ports.filters.fields import Field


def read(
    connection: Connection, search: Search, by: Field, columns: Sequence[Field], limit: int
) -> list[Group]:
    """Return the groups that most runs are in, each with the span of columns that are numbers.

    Runs that lack the field are in no group.
    """
    source, number, text = sorting.join(search.begin(), search.tables, by)
    value = number if text is None else text
    numbers: list[str] = []
    spans: list[Any] = []
    for column in columns:
        source, its_number, _ = sorting.join(source, search.tables, column)
        if its_number is not None:
            numbers.append(str(column))
            spans += [made(its_number) for made in (func.min, func.max, func.sum, func.count)]
    query = select(value, run.c.status, func.count(), *spans).select_from(source)
    query = query.where(*search.where, value.is_not(None)).group_by(value, run.c.status)
    groups: dict[Any, Group] = {}
    for its_value, status, count, *found in connection.execute(query):
        group = groups.setdefault(its_value, Group(its_value, {}, {}))
        group.statuses[status] = count
        for place, name in enumerate(numbers):
            span = Span(*found[4 * place : 4 * place + 4])
            if span.runs:
                before = group.spans.get(name)
                group.spans[name] = span if before is None else before.joined(span)
    return sorted(groups.values(), key=lambda group: (-group.runs, str(group.value)))[:limit]
